"""What one address may send in an hour and in a day, and that memory does not grow with it."""

import random
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.bot_room import ONE_SITE, BotRoom
from services.ingest.budgets import (
    ALL_SITES,
    DAY,
    FREE,
    HOUR_MS,
    MOST_COUNTS,
    WIDER,
    AddressBudgets,
)
from services.ingest.networks import AddressHashes
from services.ingest.packed_counts import AddressLimits, Field, PackedLimits, next_hour, one, over
from services.ingest.settings import IngestSettings

MORNING = 1_700_006_400_000 // (24 * HOUR_MS) * 24 * HOUR_MS
LIMITS = AddressLimits(hits=1000, visitors=1000, bots=1000, octets=1_000_000, day=DAY)
HASHES = AddressHashes()


class Sender:
    """Sends hits from one address to the same budgets as others."""

    def __init__(self, budgets: AddressBudgets, address: str = "203.0.113.9") -> None:
        self.budgets = budgets
        self.sent = HASHES.of(address)

    def send(
        self, count: int, at: int = MORNING, site: str = "mytho", **given: Any
    ) -> Counter[str]:
        told = {"octets": 1, "bot": False, "newcomer": False} | given
        return Counter(
            "WITHIN"
            if self.budgets.is_free(*self.sent, at)
            else self.budgets.spend(*self.sent, site, **told).name
            for _ in range(count)
        )


@pytest.fixture
def sender() -> Sender:
    return Sender(AddressBudgets(LIMITS))


@pytest.mark.parametrize(
    ("given", "ruling"),
    [
        ({}, "REFUSED"),
        ({"bot": True}, "NOT_WRITTEN"),
        ({"newcomer": True}, "REFUSED"),
    ],
)
def test_above_its_budget_an_address_is_refused_or_only_counted(
    sender: Sender, given: dict[str, Any], ruling: str
) -> None:
    assert sender.send(2 * 1000, **given) == {"WITHIN": 1000 + FREE, ruling: 1000 - FREE}


def test_visitors_too_many_are_views_without_a_visit() -> None:
    limits = AddressLimits(hits=9000, visitors=1000, bots=1000, octets=1_000_000, day=DAY)
    sender = Sender(AddressBudgets(limits))
    assert sender.send(3000, newcomer=True) == {"WITHIN": 1100, "NO_VISIT": 1900}
    assert sender.send(100) == {"WITHIN": 100}


def test_bytes_are_bounded_for_people_and_for_bots(sender: Sender) -> None:
    assert sender.send(300, octets=10_000) == {"WITHIN": 100 + FREE, "REFUSED": 100}
    assert sender.send(10, octets=10_000, bot=True) == {"NOT_WRITTEN": 10}


def test_bots_of_an_address_take_nothing_from_its_readers(sender: Sender) -> None:
    sender.send(5000, bot=True)
    assert sender.send(900) == {"WITHIN": 900}


def test_other_addresses_and_other_sites_have_budgets_of_their_own(sender: Sender) -> None:
    sender.send(3000)
    assert Sender(sender.budgets, "203.0.113.10").send(1000) == {"WITHIN": 1000}
    assert sender.send(1000, site="hue") == {"WITHIN": 1000}


def test_all_sites_together_are_bounded_too(sender: Sender) -> None:
    sent: Counter[str] = Counter()
    for number in range(3 * ALL_SITES):
        sent += sender.send(1000, site=f"site-{number}")
    assert sent["WITHIN"] == ALL_SITES * 1000 + FREE


def test_an_hour_later_there_is_room_again_until_the_day_has_had_enough(sender: Sender) -> None:
    taken = [sender.send(2000, MORNING + hour * HOUR_MS)["WITHIN"] for hour in range(DAY + 2)]
    assert taken[:DAY] == [1100] * DAY
    assert taken[DAY:] == [FREE, FREE]
    assert sender.send(2000, MORNING + 24 * HOUR_MS)["WITHIN"] == 1100


def test_a_time_that_goes_back_a_little_opens_no_second_hour(sender: Sender) -> None:
    sender.send(2000, MORNING + HOUR_MS)
    assert sender.send(10, MORNING + HOUR_MS - 1) == {"REFUSED": 10}


def test_the_64s_of_one_48_share_a_wider_budget() -> None:
    budgets = AddressBudgets(LIMITS)
    taken = 0
    for number in range(10_000):
        taken += Sender(budgets, f"2001:db8:7:{number:x}::1").send(1)["WITHIN"]
    # What is free is counted in cells that addresses share: in one run of a hundred, one of those
    # before has taken a hit or two of it.
    most = WIDER * 1000 + FREE
    assert most - 3 <= taken <= most
    assert Sender(budgets, "2001:db8:8::1").send(1) == {"WITHIN": 1}


def test_a_64_leaves_room_to_the_others_of_its_48() -> None:
    budgets = AddressBudgets(LIMITS)
    alone = Sender(budgets, "2001:db8:9:1::1")
    assert alone.send(3000)["WITHIN"] == 1000 + FREE
    assert Sender(budgets, "2001:db8:9:2::1").send(1000) == {"WITHIN": 1000}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.9", "203.0.113.9", (True, True)),
        ("203.0.113.9", "203.0.113.8", (False, False)),
        ("2001:db8::1", "2001:db8::ffff:2", (True, True)),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", (False, True)),
        ("2001:db8:1::1", "2001:db8:2::1", (False, False)),
        ("::ffff:203.0.113.9", "203.0.113.9", (True, True)),
        ("not an address:", "not an address:", (True, True)),
    ],
)
def test_addresses_share_what_stands_for_their_network(
    one: str, other: str, same: tuple[bool, bool]
) -> None:
    pairs = zip(HASHES.of(one), HASHES.of(other), strict=True)
    assert tuple(mine == theirs for mine, theirs in pairs) == same


def test_another_process_has_other_numbers() -> None:
    assert AddressHashes().of("203.0.113.9") != HASHES.of("203.0.113.9")


def test_whoever_sends_much_is_not_forgotten_for_all_who_are_invented() -> None:
    budgets = AddressBudgets(LIMITS, most=100)
    flood = Sender(budgets)
    flood.send(2000)
    for number in range(400):
        Sender(budgets, f"10.0.{number >> 8}.{number & 255}").send(FREE + 5)
        assert len(budgets) <= 102
    assert flood.send(1) == {"REFUSED": 1}


def test_a_million_addresses_are_bounded_in_bytes() -> None:
    tracemalloc.start()
    try:
        budgets = AddressBudgets(LIMITS)
        # As if all had sent what is free.
        budgets._free = 0
        draw = random.Random(7)
        for _ in range(3 * MOST_COUNTS):
            network = draw.getrandbits(62)
            assert not budgets.is_free(network, network, MORNING)
            budgets.spend(network, network, "mytho", 500, bot=False, newcomer=True)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(budgets) <= MOST_COUNTS
    assert used < 24 << 20


FIELDS = st.sampled_from(list(Field))


@given(
    limits=st.lists(st.integers(0, 5), min_size=4, max_size=4),
    steps=st.lists(st.lists(FIELDS, min_size=1, max_size=3) | st.none(), max_size=60),
)
def test_packed_counts_are_as_counts_that_are_kept_apart(
    limits: list[int], steps: list[list[Field] | None]
) -> None:
    hits, visitors, bots, octets = limits
    packed = PackedLimits(AddressLimits(hits, visitors, bots, octets, day=2))
    kept = 0
    hour: Counter[Field] = Counter()
    today: Counter[Field] = Counter()
    for step in steps:
        if step is None:
            kept = next_hour(kept)
            hour.clear()
            continue
        more = Counter(step)
        exceeded = packed.exceeded(kept + sum(one(field) for field in step))
        for field in Field:
            too_much = (
                hour[field] + more[field] > limits[field]
                or today[field] + more[field] > 2 * limits[field]
            )
            assert bool(exceeded & over(field)) == too_much
        if not exceeded:
            kept += sum(one(field) for field in step)
            hour += more
            today += more


def test_the_largest_limits_that_can_be_set_fit() -> None:
    largest = {"LUOT_ADDRESS_HITS": str(1 << 31), "LUOT_ADDRESS_BYTES": str(1 << 31)}
    budgets = AddressBudgets(IngestSettings.read(largest).of_one_address())
    assert Sender(budgets).send(5000, octets=1000) == {"WITHIN": 5000}
    with pytest.raises(ValueError, match="expected less than"):
        PackedLimits(AddressLimits(1 << 40, 1, 1, 1, day=1))


def test_bots_have_a_part_of_the_log_and_one_site_a_part_of_that() -> None:
    room = BotRoom(4000)
    taken = [room.take("mytho", MORNING, 100) for _ in range(20)]
    assert taken == [True] * (40 // ONE_SITE) + [False] * 10
    others = sum(room.take(f"site-{number}", MORNING, 100) for number in range(50))
    assert others == 30
    assert room.take("mytho", MORNING + HOUR_MS, 100)
    room.closed = True
    assert not room.take("hue", MORNING + HOUR_MS, 100)
