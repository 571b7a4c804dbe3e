"""Workers that share a store flush less often, and never so late that numbers are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.pace import LONGEST_SECONDS, WRITERS, flush_period

PARTITIONS = 80


@pytest.mark.parametrize(
    ("workers", "period"), [(1, 1.0), (2, 1.0), (4, 1.0), (5, 1.25), (8, 1.5), (16, 1.5)]
)
def test_the_period_grows_with_the_workers_up_to_what_is_fresh(workers: int, period: float) -> None:
    assert flush_period(1.0, PARTITIONS // workers, PARTITIONS) == period


@given(st.floats(0.01, 3600), st.integers(0, 64), st.integers(1, 64))
def test_what_is_set_is_the_least(set_seconds: float, owned: int, partitions: int) -> None:
    period = flush_period(set_seconds, min(owned, partitions), partitions)
    assert set_seconds <= period <= max(set_seconds, LONGEST_SECONDS)


@pytest.mark.parametrize("workers", range(1, 7))
def test_up_to_six_workers_flush_no_more_often_than_four(workers: int) -> None:
    assert workers / flush_period(1.0, 60 // workers, 60) <= WRITERS
