"""When each of many sites had its last view."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from services.log.interface import Log
from services.model.calendar import Grain
from services.model.partition import partition_of
from services.store.counts import counters, hits, import_counts
from services.store.interface import Store

REMEMBERED_DAYS = 31
"""Imported views older than this many days do not count as last views."""
REREAD_SECONDS = 600.0
"""Imported views are read again after this time: undoing an import leaves no log entry."""
_DAY_MS = 86_400_000
_WHOLE_SITE = ""


class _Found(NamedTuple):
    """What was found for a name at a position, and when, by a monotonic clock."""

    position: int
    at_ms: float | None
    looked: float


class LastViews:
    """Reads the times of views; those from access logs by when they happened, not arrived."""

    def __init__(
        self, store: Store, log: Log, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._log = log
        self._monotonic = monotonic
        self._imported: dict[str, _Found] = {}

    async def of(self, parts: Mapping[str, Iterable[str]]) -> dict[str, float]:
        """Return when each site had its last counted view, in ms since 1970, if it had one.

        parts  name that a site is kept under → the names whose views are those of the site

        Raises StoreError and LogError.
        """
        parts = {site: tuple(names) for site, names in parts.items()}
        of_names = await self._of_names({name for names in parts.values() for name in names})
        return {
            site: max(of_names[name] for name in names if name in of_names)
            for site, names in parts.items()
            if not of_names.keys().isdisjoint(names)
        }

    async def _of_names(self, names: Iterable[str]) -> dict[str, float]:
        keys = [(name, Grain.TOTAL.value, 0, _WHOLE_SITE) for name in names]
        rows = await counters.load(self._store, keys) if keys else {}
        positions = {name: position for (name, *_), (_, _, position) in rows.items()}
        entries = await import_counts.of_imports(self._store, positions.items())
        times: dict[str, float | None] = {}
        for name, position in positions.items():
            came = await self._log.positions.time_of(
                partition_of(name, self._log.partitions), position
            )
            is_imported = (name, position) in entries
            times[name] = await self._before(name, position, came) if is_imported else came
        self._imported = {name: self._imported[name] for name, _ in entries}
        return {name: at_ms for name, at_ms in times.items() if at_ms is not None}

    async def _before(self, name: str, position: int, came_ms: float) -> float | None:
        """Return the time of the last view under a name whose newest batch is an import."""
        known, now = self._imported.get(name), self._monotonic()
        if known is None or known.position != position or now - known.looked >= REREAD_SECONDS:
            # In any time zone, a day begins at most a day away from the UTC day.
            last = int(came_ms // _DAY_MS) + 1
            at_ms = await hits.last_view(self._store, name, last - REMEMBERED_DAYS - 1, last)
            known = self._imported[name] = _Found(position, at_ms, now)
        return known.at_ms
