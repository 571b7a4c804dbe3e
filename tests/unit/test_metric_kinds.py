"""The kinds of metrics that Luot adds to those of Prometheus's client."""

from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY, generate_latest

from services.aggregator.fold import PartitionFold
from services.log.batch import Batch, decode, encode
from services.metrics import CATALOGUE
from services.model.hit import Hit
from services.runtime.metric_kinds import BulkHistogram, LateGauge


@pytest.fixture
def late() -> Iterator[LateGauge]:
    gauge = LateGauge("late_timestamp_seconds", "a time")
    yield gauge
    REGISTRY.unregister(gauge)


@pytest.fixture
def bulk() -> Iterator[BulkHistogram]:
    histogram = BulkHistogram("bulk_seconds", "a time", (0.5, 2.5))
    yield histogram
    REGISTRY.unregister(histogram)


def test_a_late_gauge_is_absent_until_it_is_known_and_once_it_is_not(late: LateGauge) -> None:
    def served() -> float | None:
        return REGISTRY.get_sample_value("late_timestamp_seconds")

    assert served() is None
    late.set(0)
    assert served() == 0
    late.forget()
    assert served() is None
    late.set(7)
    assert served() == 7


def test_a_bulk_histogram_is_served_as_any_other(bulk: BulkHistogram) -> None:
    bulk.observe(0.5, 3)
    bulk.observe(2.0, 1)
    bulk.observe(99.0, 2)
    lines = [line for line in generate_latest().decode().splitlines() if "bulk_seconds" in line]
    assert lines == [
        "# HELP bulk_seconds a time",
        "# TYPE bulk_seconds histogram",
        'bulk_seconds_bucket{le="0.5"} 3.0',
        'bulk_seconds_bucket{le="2.5"} 4.0',
        'bulk_seconds_bucket{le="+Inf"} 6.0',
        "bulk_seconds_count 6.0",
        "bulk_seconds_sum 201.5",
    ]


def test_a_fold_tells_when_its_hits_arrived_and_leaves_out_repetitions() -> None:
    def batch(*views: int) -> Batch:
        hits = [Hit(site="a", path="/", at=1, day=1, visitor=2, view_id=view) for view in views]
        return decode(encode(hits))

    folded = PartitionFold(0).fold(
        [(10, 1000, batch(1, 2, 3)), (11, 1000, batch(4)), (12, 1250, batch(5, 1))]
    )
    assert folded.arrived == {1000: 4, 1250: 1}
    assert folded.repeated == 1


def test_every_metric_has_one_entry() -> None:
    names = [spec.name for spec in CATALOGUE]
    assert len(set(names)) == len(names)
