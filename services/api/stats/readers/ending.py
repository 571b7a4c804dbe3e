"""Precomputes visits and pages of past days, once, for sites where that takes long.

A query has to come first; the work is done after its answer, a few days at a time, with little
memory. A day is accepted when its visits, read back, say what its raw hits say, and these have not
changed meanwhile. Whatever changes them later (a late hit, a correction, an undone import, views
returned to their pages) gives the day another digest: then raw hits answer until it has been
precomputed again.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from services.api.stats.grammar.measures import LENGTHS
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.periods.coverage import FoundHits
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Span, joined
from services.api.stats.queries import coverage, ended, ended_pages, ending, hits, visits
from services.model.calendar import Grain, period_start
from services.model.site import Site
from services.store.interface import Limits, Store, StoreError

LIMITS = Limits(calls=1, threads=1, seconds=60, bytes=300_000_000)
QUIET_DAYS = 2
"""A day that ended less than this many days ago may well get late hits."""
VIEWS_AT_ONCE = 50_000
DAYS_AT_ONCE = 31
ONE_IN = 20
"""If fewer than one view in this many is on days to precompute, the work is not worth it yet."""
PAUSE_SECONDS = 600.0
"""How long a site is left alone afterwards."""
MAX_WAITING = 100
"""Sites that wait for their turn; others are queued when they are queried again later."""
_GRACE_MS = 3_600_000
"""A reader of an older version found it this long ago at the most."""
_DAY_MS = 86_400_000
_VERSION_BITS = 20

log = logging.getLogger(__name__)


class VisitsKeeper:
    """Precomputes the visits of one site after another, in a task that lives while there are any.

    It has its own sessions, so that queries never wait for it.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` returns seconds since 1970, `monotonic` those of a monotonic clock."""
        self._store = store.limited(LIMITS)
        self._clock = clock
        self._monotonic = monotonic
        self._waiting: dict[str, tuple[StatsQuery, Snapshot, list[int], FoundHits]] = {}
        self._done: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Cancel the work under way, which does no harm, and close the sessions."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._store.close()

    async def finish(self) -> None:
        """Wait until there is nothing left to do."""
        if self._task is not None:
            await self._task

    def offer(self, site: Site, span: Span, counted: Snapshot, found: FoundHits) -> None:
        """Take what was found for a site, and later precompute what is worth it."""
        until = int(self._clock() * 1000) // _DAY_MS - QUIET_DAYS
        days = [day for day in found.digests if day < until and day not in found.coverage.ended]
        views = sum(found.held.get(day, 0) for day in days)
        name = site.kept_as
        if views * ONE_IN < max(1, sum(found.held.values())) or len(self._waiting) >= MAX_WAITING:
            return
        if self._monotonic() < self._done.get(name, -PAUSE_SECONDS) + PAUSE_SECONDS:
            return
        self._waiting[name] = StatsQuery(site, span, tuple(LENGTHS)), counted, sorted(days), found
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._waiting:
            name = next(iter(self._waiting))
            query, counted, days, found = self._waiting.pop(name)
            try:
                await ending.clear(self._store, name, self._version(-_GRACE_MS))
                count, version = 0, self._version()
                for some in _at_once(days, found.held):
                    count += await self._put_together(query, counted, some, found, version)
                log.info("put the visits of %d days of %s together", count, query.site.slug)
            except StoreError as error:
                log.warning(
                    "the visits of %s cannot be put together, so what asks for them stays slow: %s",
                    query.site.slug,
                    error,
                )
            now = self._monotonic()
            self._done = {one: at for one, at in self._done.items() if now < at + PAUSE_SECONDS}
            self._done[name] = now

    async def _put_together(
        self,
        query: StatsQuery,
        counted: Snapshot,
        days: Sequence[int],
        found: FoundHits,
        version: int,
    ) -> int:
        """Return for how many of the days the visits are now precomputed."""
        name = query.site.kept_as
        span = Span(days[0], days[-1])
        spans = joined(Span(day, day) for day in days)
        versions = {day: version + day for day in days}
        nothing = found.coverage._replace(ended={})
        await ending.fill(self._store, name, spans, nothing, version)
        await ended_pages.fill(self._store, name, spans, nothing, version)
        # An insert may have run twice, and anything may have happened to the hits meanwhile.
        of_days = query.about(span)
        written = nothing._replace(ended=versions)
        made = await ended.by_day(self._store, of_days, written)
        meant = await visits.by_day(self._store, of_days, nothing)
        pages_made = await ended_pages.by_day(self._store, of_days, written)
        pages_meant = await hits.by_day(self._store, of_days, nothing)
        _, _, digests = await coverage.look(self._store, name, span, counted, least=0)
        good = {
            day: found.digests[day]
            for day in days
            if made.get(day) == meant.get(day)
            and pages_made.get(day) == pages_meant.get(day)
            and digests.get(day) == found.digests[day]
        }
        if good:
            await ending.record(self._store, name, good, versions)
        return len(good)

    def _version(self, later_ms: int = 0) -> int:
        """Return the number of a run, to which a day is added: later runs have higher ones."""
        at = int(self._clock() * 1000) + later_ms
        # Days take 17 bits. The random bits separate processes that begin at the same moment.
        return (at << _VERSION_BITS) + (secrets.randbelow(8) << 17)


def _at_once(days: Sequence[int], views: Mapping[int, int]) -> list[list[int]]:
    """Return the days in parts to be precomputed at once, each within one month."""
    parts: list[list[int]] = []
    part: list[int] = []
    seen = 0
    for day in days:
        of_day = views.get(day, 0)
        is_full = seen + of_day > VIEWS_AT_ONCE or len(part) == DAYS_AT_ONCE
        if not part or is_full or _month(part[0]) != _month(day):
            part, seen = [], 0
            parts.append(part)
        part.append(day)
        seen += of_day
    return parts


def _month(day: int) -> int:
    return period_start(day, Grain.MONTH)
