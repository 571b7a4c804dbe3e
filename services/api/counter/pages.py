"""Reads the views of pages, opening balances included."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from services.api.counter import queries
from services.api.counter.last_shown import Kept
from services.api.counter.monotonic import Guard, news
from services.api.counter.periods import Key
from services.api.counter.reading import PageReading
from services.api.turns import in_turns
from services.model.calendar import Grain, local_day
from services.model.site import Site
from services.state.state import State
from services.store.interface import Store

_TOTAL: Key = (Grain.TOTAL, 0)

Page = tuple[str, str]
"""Site and path."""


class PageReader:
    """Reads pages of any sites together; remembers only what was shown."""

    def __init__(self, store: Store, state: State, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._kept = Kept(state)
        self._clock = clock
        self._guard = Guard()

    async def read(
        self, sites: Mapping[str, Site], wanted: Sequence[Page]
    ) -> dict[Page, PageReading]:
        """Return the views of pages; `sites` are theirs, by slug.

        A page that may not be shown is left out. Raises StoreError.
        """
        now_ms = int(self._clock() * 1000)
        today = {slug: local_day(now_ms, site.timezone) for slug, site in sites.items()}
        found, balances, shown = await asyncio.gather(
            queries.path_views(self._store, wanted, set(today.values())),
            queries.balances(self._store, sites, {path for _, path in wanted}),
            self._kept.pages(wanted),
        )
        added: dict[Page, dict[Key, int]] = {}
        for slug, entries in balances.items():
            for entry in entries:
                held, key = added.setdefault((slug, entry.path), {}), (entry.grain, entry.start)
                held[key] = held.get(key, 0) + entry.views
        before = self._guard.before(shown)
        readings = {}
        async for page in in_turns(wanted):
            readings[page] = self._reading(
                page,
                now_ms,
                today[page[0]],
                found.get(page, {}),
                added.get(page, {}),
                before.get(page),
            )
        counted = {page: read for page, read in readings.items() if read.views or read.balance}
        fresh = news(counted, before)
        kept = shown is not None and await self._kept.keep_pages(fresh)
        return self._guard.show(
            readings, lambda page: kept or (shown is not None and page not in fresh)
        )

    async def recall(self, wanted: Sequence[Page]) -> dict[Page, PageReading]:
        """Return the last good views that are kept, of those pages that have any."""
        before = self._guard.before(await self._kept.pages(wanted))
        return {page: before[page] for page in wanted if page in before}

    def _reading(
        self,
        page: Page,
        now_ms: int,
        today: int,
        found: Mapping[Key, int],
        added: Mapping[Key, int],
        before: PageReading | None,
    ) -> PageReading:
        of_today: Key = (Grain.DAY, today)
        views = self._guard.highest.raised((*page, _TOTAL), found.get(_TOTAL, 0))
        viewed = self._guard.highest.raised((*page, of_today), found.get(of_today, 0))
        if before is not None:
            views = max(views, before.views)
            viewed = max(viewed, before.today if before.day == today else 0)
        return PageReading(
            as_of=now_ms,
            day=today,
            views=views,
            today=viewed,
            balance=added.get(_TOTAL, 0),
            balance_today=added.get(of_today, 0),
        )
