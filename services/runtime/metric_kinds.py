"""The kinds of metrics: as entries of the catalogue, and as what a process serves."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

# Otherwise each counter has one more series, which nobody needs.
disable_created_metrics()  # type: ignore[no-untyped-call]

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LateGauge(Gauge):
    """A gauge that is absent until it is set, and again after its value becomes unknown."""

    _known = False

    def set(self, value: float) -> None:
        """Set the value; from now on it is served."""
        super().set(value)
        self._known = True

    def forget(self) -> None:
        """Serve nothing until the next value."""
        self._known = False

    def collect(self) -> Iterable[Metric]:
        """Return what is served now."""
        return super().collect() if self._known else []


class BulkHistogram(Collector):
    """A histogram in which many observations of the same value cost as much as one."""

    def __init__(self, name: str, documentation: str, buckets: tuple[float, ...]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = (*buckets, float("inf"))
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        REGISTRY.register(self)

    def observe(self, value: float, times: int) -> None:
        """Observe a value this many times."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += value * times

    def describe(self) -> Iterable[Metric]:
        """Return its name, for the registry."""
        return [Metric(self._name, self._documentation, "histogram")]

    def collect(self) -> Iterable[Metric]:
        """Return its cumulative buckets."""
        buckets, so_far = [], 0
        for bound, count in zip(self._bounds, self._counts, strict=True):
            so_far += count
            buckets.append((str(floatToGoString(bound)), float(so_far)))  # type: ignore[no-untyped-call]
        return [HistogramMetricFamily(self._name, self._documentation, buckets, self._sum)]


@dataclass(frozen=True)
class Spec:
    """An entry of the catalogue; `by` are the services that serve it."""

    by: tuple[str, ...]
    name: str
    help: str
    labels: tuple[str, ...] = ()


class CounterSpec(Spec):
    """A metric that only grows."""

    @cache  # noqa: B019  the catalogue lives as long as the process
    def create(self) -> Counter:
        """Return the live metric of this process; services that share one share it."""
        return Counter(self.name, self.help, self.labels)


class GaugeSpec(Spec):
    """A metric that goes up and down."""

    @cache  # noqa: B019  see above
    def create(self) -> Gauge:
        """Return the live metric of this process; services that share one share it."""
        return Gauge(self.name, self.help, self.labels)

    @cache  # noqa: B019  see above
    def create_late(self) -> LateGauge:
        """Return the live metric, without labels; it is absent until it has a value."""
        return LateGauge(self.name, self.help)


@dataclass(frozen=True)
class HistogramSpec(Spec):
    """A distribution."""

    buckets: tuple[float, ...] = LATENCY_SECONDS

    @cache  # noqa: B019  see above
    def create(self) -> Histogram:
        """Return the live metric of this process; services that share one share it."""
        return Histogram(self.name, self.help, self.labels, buckets=self.buckets)

    @cache  # noqa: B019  see above
    def create_bulk(self) -> BulkHistogram:
        """Return the live metric, without labels, for values that are observed many at a time."""
        return BulkHistogram(self.name, self.help, self.buckets)
