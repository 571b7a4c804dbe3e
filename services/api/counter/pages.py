"""Reads the views of pages, opening balances and corrections included."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from services.api.counter import periods, queries
from services.api.counter.last_shown import LastShownPages
from services.api.counter.monotonic import Floor
from services.api.counter.periods import Key
from services.api.counter.reader import cooperatively
from services.api.counter.reading import TOTAL, PageReading, Rows
from services.model.calendar import Grain
from services.model.site import Site
from services.state.state import State
from services.store.counts import corrections, returned_views
from services.store.counts.corrections import Taken
from services.store.interface import Store

PageKey = tuple[str, str]
"""Site, or the name of its downloads, and path."""


class PageReader:
    """Reads many pages of any sites together; remembers only the floor."""

    def __init__(self, store: Store, state: State, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._floor = Floor(LastShownPages(state), keeps=lambda page: page.is_counted)

    async def read(
        self, sites: Mapping[str, Site], pages: Sequence[PageKey]
    ) -> dict[PageKey, PageReading]:
        """Return the views of pages; `sites` are their sites, by the names in the keys.

        A page that may not be shown is left out. Raises StoreError.
        """
        now_ms = int(self._clock() * 1000)
        today = {slug: site.day_of(now_ms) for slug, site in sites.items()}
        paths = {path for _, path in pages}
        counted, returned, balances, taken, shown = await asyncio.gather(
            queries.path_views(self._store, pages, set(today.values())),
            returned_views.by_day(self._store, sites, paths),
            queries.balances(self._store, sites, paths),
            corrections.taken(self._store, sites, paths),
            self._floor.last_shown(pages),
        )
        added = _added(balances, taken)
        readings = {}
        async for page in cooperatively(pages):
            day = today[page[0]]
            of_today: Key = (Grain.DAY, day)
            rows, brought = counted.get(page, {}), added.get(page, {})
            back = returned.get(page, {})
            before = shown.readings.get(page)
            lifted = self._floor.lift(
                page,
                {
                    TOTAL: rows.get(TOTAL, 0) + sum(back.values()),
                    of_today: rows.get(of_today, 0) + back.get(day, 0),
                },
                before.rows if before else {},
            )
            readings[page] = PageReading(
                as_of=now_ms,
                day=day,
                views=lifted.get(TOTAL, 0),
                today=lifted.get(of_today, 0),
                ledger=brought.get(TOTAL, 0),
                ledger_today=brought.get(of_today, 0),
            )
        return await self._floor.show(readings, shown)

    async def recall(
        self, sites: Mapping[str, Site], pages: Sequence[PageKey]
    ) -> dict[PageKey, PageReading]:
        """Return the views that were last shown, for those pages that have any."""
        del sites
        return await self._floor.recall(pages)


def _added(
    balances: Mapping[str, Sequence[queries.Balance]],
    taken: Mapping[PageKey, Mapping[int, Taken]],
) -> dict[PageKey, Rows]:
    """Return what the ledger adds to the rows of each page."""
    added: dict[PageKey, Rows] = {}
    for slug, entries in balances.items():
        for entry in entries:
            rows, key = added.setdefault((slug, entry.path), {}), (entry.grain, entry.start)
            rows[key] = rows.get(key, 0) + entry.views
    for page, days in taken.items():
        for day, of_day in days.items():
            periods.add(added.setdefault(page, {}), Grain.DAY, day, -of_day.views)
    return added
