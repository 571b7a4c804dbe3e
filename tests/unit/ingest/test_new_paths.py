"""Who opens a new page: budgets of addresses, in bounded memory."""

import gc
import tracemalloc
from collections.abc import Callable

from services.ingest import new_paths
from services.ingest.new_paths import NewPaths

DAY = 20_254
SITE = "mytho"
V4 = {number: (number, number) for number in range(4)}


def test_an_address_opens_so_many_pages_of_a_site_and_of_all_sites() -> None:
    new = NewPaths(each=2, readers=3, most=5000)
    assert [new.take(V4[1], SITE, DAY) for _ in range(3)] == [True, True, False]
    assert new.take(V4[1], SITE, DAY + 1)
    assert new.take(V4[2], SITE, DAY)
    more = [new.take(V4[1], f"site-{n}", DAY) for n in range(30)]
    assert more.count(True) == 2 * new_paths.SITES - 2


def test_a_page_is_opened_by_different_addresses_only() -> None:
    new = NewPaths(each=10, readers=3, most=5000)
    seen = [new.vouch(V4[network], SITE, DAY, 99) for network in (1, 1, 2, 2, 1, 3)]
    assert seen == [False] * 5 + [True]
    assert not new.vouch(V4[1], "danang", DAY, 99)


def test_three_addresses_together_open_no_more_pages_than_their_budgets() -> None:
    new = NewPaths(each=10, readers=3, most=5000)
    opened = [
        page
        for page in range(100)
        for network in (1, 2, 3)
        if new.vouch(V4[network], SITE, DAY, page)
    ]
    assert opened == list(range(10))


def test_one_address_does_not_push_out_what_others_have_seen() -> None:
    new = NewPaths(each=100, readers=2, most=5000)
    new.vouch(V4[1], SITE, DAY, 99)
    for page in range(1000, 1000 + 2 * new_paths.MOST_SEEN):
        new.vouch(V4[2], SITE, DAY, page)
    assert new.vouch(V4[3], SITE, DAY, 99)


def test_a_machine_with_a_whole_48_of_ipv6_opens_four_times_as_many_and_is_one_reader() -> None:
    new = NewPaths(each=5, readers=2, most=5000)
    block = hash("2001:db8::/48")
    networks = [(hash(f"2001:db8:0:{n}::/64"), block) for n in range(100)]
    opened = [new.take(networks[0], SITE, DAY) for _ in range(100)]
    assert opened.count(True) == 5
    opened = [new.take(network, SITE, DAY) for network in networks]
    assert opened.count(True) == 15
    assert not any(new.vouch(network, SITE, DAY, 99) for network in networks)
    assert new.vouch(V4[1], SITE, DAY, 99)


def test_no_address_opens_more_than_its_share_of_a_day() -> None:
    new = NewPaths(each=1000, readers=3, most=10)
    block = hash("2001:db8::/48")
    networks = [(hash(f"2001:db8:0:{n}::/64"), block) for n in range(100)]
    assert [new.take(network, SITE, DAY) for network in networks].count(True) == 10
    assert [new.take(V4[1], SITE, DAY) for _ in range(100)].count(True) == 10


def used(work: Callable[[], None]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_many_addresses_take_no_more_memory_than_is_said() -> None:
    new = NewPaths(each=1000, readers=3, most=5000)
    while new.take(V4[1], SITE, DAY):
        pass

    def flood() -> None:
        for number in range(new_paths.MOST_BUDGETS * 6 // 5):
            new.take((hash(number), hash((number, 2))), SITE, DAY)
        for number in range(new_paths.MOST_SEEN * 6 // 5):
            for half in (1, 2):
                who = number % 60 + 100 * half
                new.vouch((who, who), SITE, DAY, hash(("a page", number)))

    taken = used(flood)
    assert taken < 13e6, f"{taken / 1e6:.1f} MB"
    assert not new.take(V4[1], SITE, DAY), "who opened most is forgotten last"
    new.forget(DAY + 1)
    assert new.take(V4[1], SITE, DAY + 1)
