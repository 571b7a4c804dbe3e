"""How long numbers hold, by what is told of the changes of their site."""

from typing import cast

import pytest

from services.api.counter import changes
from services.api.counter.changes import Changes, SiteChanges, ToldPartition
from services.api.sites.registry import Registry
from services.state.changes import Notice


def told(by: str, *heard: float) -> ToldPartition:
    partition = ToldPartition()
    for now in heard:
        partition.by(by, now)
    return partition


def site(*partitions: ToldPartition, settle: float = 0.0) -> SiteChanges:
    known = SiteChanges("mytho", settle)
    known.told = partitions
    return known


def test_untold_numbers_hold_a_second() -> None:
    for known in (site(), site(ToldPartition()), site(told("a", 10.0), ToldPartition())):
        assert known.expires_at(20.0, 20.5) == 21.5
        assert known.why(20.0, 21.5) == changes.UNTOLD


def test_told_numbers_hold_until_the_teller_is_silent_or_the_net() -> None:
    partition = told("a", 10.0, 11.0)
    known = site(partition)
    assert known.expires_at(10.5, 10.6) == 11.0 + changes.TELLER_SECONDS
    for now in range(12, 30):
        partition.by("a", now)
    net = known.expires_at(10.5, 10.6) - 10.6
    assert changes.NET_SECONDS / 2 <= net <= changes.NET_SECONDS
    assert known.why(10.5, 30.0) == changes.NET


@pytest.mark.parametrize("doubted", ["another teller", "silence", "something missed"])
def test_what_was_read_before_somebody_told_all_is_read_again(doubted: str) -> None:
    partition = told("a", 10.0)
    known = site(partition)
    if doubted == "something missed":
        partition.doubt()
    at = 10.0 + changes.TELLER_SECONDS if doubted == "silence" else 11.0
    partition.by("b" if doubted == "another teller" else "a", at)
    assert known.expires_at(10.5, 10.6) == 11.6
    assert known.expires_at(at, at) > at + changes.UNTOLD_SECONDS


def test_a_change_ends_what_was_read_before_it_and_a_flood_of_them_no_more() -> None:
    known = site(told("a", 10.0, 11.0))
    known.touch(11.0)
    assert known.expires_at(10.9, 11.1) == 11.0
    assert known.why(10.9, 11.1) == changes.CHANGED
    assert known.expires_at(11.0, 11.1) > 13.0
    for now in range(100, 149):
        known.touch(11.0 + now / 1000)
    # One more read, which has all of them.
    assert known.at == 11.0 + changes.REST_SECONDS
    assert known.expires_at(11.0, 11.1) == known.at
    assert known.expires_at(known.at, known.at) > known.at


def test_numbers_of_a_store_of_several_hosts_settle_after_a_change() -> None:
    partition = told("a", 10.0, 11.0)
    known = site(partition, settle=5.0)
    assert known.expires_at(10.0, 10.1) > 12.0
    known.touch(11.0)
    partition.by("a", 12.5)
    assert known.expires_at(12.0, 12.1) == 13.1
    assert known.why(12.0, 13.1) == changes.SETTLING
    partition.by("a", 15.0)
    partition.by("a", 16.0)
    assert known.expires_at(16.0, 16.1) > 17.2


def test_nobody_is_believed_while_the_store_cannot_be_read() -> None:
    readable = True
    known = Changes(cast("Registry", None), partitions=4, readable=lambda: readable)
    said = Notice("a", (0, 1, 9))
    known.hear(said)
    assert known.told_partitions() == 2
    readable = False
    known.hear(said)
    assert known.told_partitions() == 0
    readable = True
    known.hear(said)
    assert known.told_partitions() == 2
    known.hear(None)
    assert known.told_partitions() == 0
