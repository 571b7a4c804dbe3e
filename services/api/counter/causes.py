"""Why counters are read from the store, for the metrics."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from services.api.counter.body import SiteNumbers
from services.api.counter.cache import StaleIfErrorCache
from services.api.counter.changes import NET, Changes
from services.api.counter.loaded import Loaded
from services.api.counter.reading import PageReading, Reading
from services.api.metrics import COUNTER_READS, FIRST_READS, MISSED_CHANGES
from services.model.kept_apart import site_of

K = TypeVar("K", bound=tuple[str, str])
V = TypeVar("V", SiteNumbers, PageReading)


class Causes:
    """Counts reads by cause, and detects changes that came without a notice."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def count(self, cache: StaleIfErrorCache[K, V], keys: Sequence[K]) -> dict[K, Loaded[V]]:
        """Count the reads of keys; return the known values of those due by the periodic read."""
        by_net = {}
        for key in keys:
            known = cache.loaded(key)
            if known is None:
                FIRST_READS.inc()
                continue
            why = self._changes.why(key, known)
            COUNTER_READS[why].inc()
            if why == NET:
                by_net[key] = known
        return by_net

    def compare(self, before: Mapping[K, Loaded[V]], now: Mapping[K, V]) -> None:
        """Count the values from the periodic read that had changed without a notice."""
        for key, known in before.items():
            read = now.get(key)
            untold = self._changes.of(site_of(key[0])).at <= known.began
            if read is not None and untold and _differ(known.value, read):
                MISSED_CHANGES.inc()


def _differ(one: SiteNumbers | PageReading, other: SiteNumbers | PageReading) -> bool:
    before, now = _reading(one), _reading(other)
    return before.day == now.day and before.rows != now.rows


def _reading(value: SiteNumbers | PageReading) -> Reading | PageReading:
    return value.reading if isinstance(value, SiteNumbers) else value
