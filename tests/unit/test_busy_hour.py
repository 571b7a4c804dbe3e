"""The model of a busy hour loses nothing, and is late where it must be."""

import msgspec
import pytest

from benchmarks.busy_hour import (
    FLUSH_SECONDS,
    PARTITIONS,
    Event,
    Hour,
    loads,
    owners,
    simulate,
)

SHARES, LARGEST = loads()
HOUR = Hour(rate=10_000, workers=4, capacity=6_000, takeover=10, loads=SHARES, largest=LARGEST)


def test_all_hits_are_counted_at_once_where_nothing_happens() -> None:
    quiet = simulate(HOUR, Event("nothing"))
    assert quiet.counted == quiet.arrived == pytest.approx(HOUR.rate * 3600, rel=0.01)
    assert (quiet.worst, quiet.late, quiet.spooled) == (FLUSH_SECONDS, 0, 0)


def test_partitions_have_owners_as_evenly_as_their_number_allows() -> None:
    for workers in (1, 3, 4, 64):
        numbers = owners(range(workers))
        each = [numbers.count(one) for one in range(workers)]
        assert len(numbers) == PARTITIONS == sum(each)
        assert max(each) - min(each) <= 1


def test_hits_of_a_killed_worker_wait_for_the_take_over() -> None:
    killed = simulate(HOUR, Event("killed", seconds=60, killed=1))
    assert killed.counted == killed.arrived
    assert killed.worst >= HOUR.takeover
    assert killed.late >= HOUR.takeover
    slower = simulate(msgspec.structs.replace(HOUR, takeover=30), Event("killed", 60, killed=1))
    assert slower.worst > killed.worst


def test_hits_of_a_master_that_is_away_wait_in_spools() -> None:
    away = simulate(HOUR, Event("away", seconds=30, away=0.5))
    share = sum(SHARES[: PARTITIONS // 2])
    assert away.spooled == pytest.approx(HOUR.rate * share * 30, rel=0.05)
    assert away.counted == away.arrived
    assert away.worst >= 30


def test_all_hits_wait_in_the_log_while_the_store_is_away() -> None:
    away = simulate(HOUR, Event("store", seconds=60, store=True))
    assert away.waiting == pytest.approx(HOUR.rate * 60, rel=0.1)
    assert away.counted == away.arrived
    assert away.late > 60


def test_a_worker_with_more_than_it_can_do_falls_behind_for_good() -> None:
    behind = simulate(msgspec.structs.replace(HOUR, capacity=1_000), Event("nothing"))
    assert behind.counted < behind.arrived
    assert behind.counted <= 4 * 1_000 * 3600
    assert behind.worst > 1_000


def test_a_crowd_at_one_site_is_in_one_partition() -> None:
    tight = msgspec.structs.replace(HOUR, capacity=4_000)
    crowd = simulate(tight, Event("crowd", seconds=60, crowd=20.0))
    assert crowd.late > simulate(tight, Event("nothing")).late
    assert crowd.counted == crowd.arrived
