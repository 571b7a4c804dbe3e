"""The daily peaks; one that was reset is recounted from raw hits."""

import time
from collections.abc import Callable, Collection, Sequence

from services.api.counter import queries
from services.api.counter.cache import StaleIfErrorCache
from services.api.counter.queries import OnlinePeak
from services.store.counts import peaks
from services.store.interface import Store

RECOUNT_SECONDS = 60.0

_Reset = tuple[str, int, int]
"""Site, day, and the version of its reset."""


class PeakReader:
    """Reads peaks; recounts, which scan the day's raw hits, at most once a minute."""

    def __init__(self, store: Store, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._recounts: StaleIfErrorCache[_Reset, OnlinePeak | None] = StaleIfErrorCache(
            self._recount, ttl=RECOUNT_SECONDS, clock=monotonic
        )

    async def close(self) -> None:
        """Abandon the reads under way."""
        await self._recounts.close()

    async def read(
        self, sites: Collection[str], days: Collection[int]
    ) -> dict[tuple[str, int], OnlinePeak]:
        """Return the peaks of days, by site and day. Raises StoreError."""
        measured, resets = await queries.peaks(self._store, sites, days)
        if not resets:
            return measured
        keys = [(site, day, version) for (site, day), version in resets.items()]
        recounts = await self._recounts.get_many(keys)
        for site, day, version in keys:
            measured.pop((site, day), None)
            recount = recounts.get((site, day, version))
            if recount is not None and recount.value is not None:
                measured[site, day] = recount.value
        return measured

    async def _recount(self, resets: Sequence[_Reset]) -> dict[_Reset, OnlinePeak | None]:
        counted: dict[_Reset, OnlinePeak | None] = {}
        for site, day, version in resets:
            peak = await peaks.recount(self._store, site, day)
            counted[site, day, version] = None if peak is None else OnlinePeak(*peak)
        return counted
