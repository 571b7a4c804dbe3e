"""When each site had its last view, of many sites together."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from services.log.interface import Log
from services.model.calendar import Grain
from services.model.partition import partition_of
from services.store import counters, hits, import_counts
from services.store.interface import Store

REMEMBERED_DAYS = 31
"""Imported views that are older than so many days are no site's last ones."""
REREAD_SECONDS = 600.0
"""An import is taken back without an entry of the log."""
_DAY_MS = 86_400_000
_WHOLE_SITE = ""


class _Found(NamedTuple):
    """What was found of a name at a position, and when, by a clock that never steps back."""

    position: int
    at_ms: float | None
    looked: float


class LastViews:
    """Reads when views were; those of access logs when they were, and not when they came."""

    def __init__(
        self, store: Store, log: Log, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._log = log
        self._monotonic = monotonic
        self._imported: dict[str, _Found] = {}

    async def of(self, parts: Mapping[str, Iterable[str]]) -> dict[str, float]:
        """Return when each site had its last counted view, in ms since 1970, where it had one.

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
        found: dict[str, float | None] = {}
        for name, position in positions.items():
            came = await self._log.positions.time_of(
                partition_of(name, self._log.partitions), position
            )
            is_imported = (name, position) in entries
            found[name] = await self._before(name, position, came) if is_imported else came
        self._imported = {name: self._imported[name] for name, _ in entries}
        return {name: at_ms for name, at_ms in found.items() if at_ms is not None}

    async def _before(self, name: str, position: int, came_ms: float) -> float | None:
        """Return when the last view was of a name of which an import came last."""
        known, now = self._imported.get(name), self._monotonic()
        if known is None or known.position != position or now - known.looked >= REREAD_SECONDS:
            # A day of any time zone begins at most a day from that of UTC.
            last = int(came_ms // _DAY_MS) + 1
            at_ms = await hits.last_view(self._store, name, last - REMEMBERED_DAYS - 1, last)
            known = self._imported[name] = _Found(position, at_ms, now)
        return known.at_ms
