"""Who opens a new page: budgets of addresses, in bounded memory."""

import gc
import tracemalloc
from collections.abc import Callable

from services.ingest import new_paths
from services.ingest.new_paths import NewPaths

DAY = 20_254
SITE = "mytho"


def test_an_address_opens_so_many_pages_of_a_site_and_of_all_sites() -> None:
    new = NewPaths(each=2, readers=3)
    assert [new.take(1, SITE, DAY) for _ in range(3)] == [True, True, False]
    assert new.take(1, SITE, DAY + 1)
    assert new.take(2, SITE, DAY)
    more = [new.take(1, f"site-{n}", DAY) for n in range(30)]
    assert more.count(True) == 2 * new_paths.SITES - 2


def test_a_page_is_opened_by_different_addresses_only() -> None:
    new = NewPaths(each=10, readers=3)
    seen = [new.vouch(network, SITE, DAY, 99) for network in (1, 1, 2, 2, 1, 3)]
    assert seen == [False] * 5 + [True]
    assert not new.vouch(1, "danang", DAY, 99)


def test_three_addresses_together_open_no_more_pages_than_their_budgets() -> None:
    new = NewPaths(each=10, readers=3)
    opened = [
        page for page in range(100) for network in (1, 2, 3) if new.vouch(network, SITE, DAY, page)
    ]
    assert opened == list(range(10))


def test_one_address_does_not_push_out_what_others_have_seen() -> None:
    new = NewPaths(each=100, readers=2)
    new.vouch(1, SITE, DAY, 99)
    for page in range(1000, 1000 + 2 * new_paths.MOST_SEEN):
        new.vouch(2, SITE, DAY, page)
    assert new.vouch(3, SITE, DAY, 99)


def used(work: Callable[[], None]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_many_addresses_take_no_more_memory_than_is_said() -> None:
    new = NewPaths(each=1000, readers=3)

    def flood() -> None:
        for number in range(new_paths.MOST_BUDGETS * 6 // 5):
            new.take(hash(("an address", number)), SITE, DAY)
        for number in range(new_paths.MOST_SEEN * 6 // 5):
            for half in (1, 2):
                new.vouch(hash((half, number % 60)), SITE, DAY, hash(("a page", number)))

    taken = used(flood)
    assert taken < 13e6, f"{taken / 1e6:.1f} MB"
    new.forget(DAY + 1)
    assert new.take(hash(("an address", 0)), SITE, DAY + 1)
