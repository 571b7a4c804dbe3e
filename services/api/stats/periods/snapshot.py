"""What the counters of a site held at one moment, from which all numbers of an answer are taken.

Raw hits are written before the counter rows that count them, and carry their position. So those up
to the position of the counters are exactly the hits that are counted. What corrections take back is
neither in these numbers nor among these hits.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.api.counter import queries as counter_queries
from services.api.stats.periods import opening
from services.api.stats.periods.coverage import FoundHits
from services.api.stats.periods.opening import NO_OPENING, OpeningNumbers
from services.api.stats.periods.spans import Span
from services.api.stats.queries.counters import counters
from services.store.counts import corrections
from services.store.counts.corrections import Correction, Taken, active
from services.store.interface import Store


class Snapshot(NamedTuple):
    """The counters of a span of days.

    counted   views and visits of each day that has any, without opening balances and without
              what corrections take back
    position  of the newest counted batch; -1 when nothing is counted
    found     which raw hits were found, by the name of the site and the days asked for
    ledger    every correction of the site as of this moment
    taken     what they take back of each day
    opening   opening balances, if asked for; not included in the other fields
    parts     the same for the sites that are merged into it
    """

    site: str
    span: Span
    counted: Mapping[int, tuple[int, int]]
    position: int
    found: dict[tuple[str, Span], FoundHits]
    ledger: Sequence[Correction] = ()
    taken: Mapping[int, Taken] = {}
    opening: OpeningNumbers = NO_OPENING
    parts: Sequence["Snapshot"] = ()

    def of(self, site: str) -> "Snapshot | None":
        """Return the snapshot of one of its sites, by the name it is kept under."""
        return next((one for one in (self, *self.parts) if one.site == site), None)

    def entered(self, span: Span, today: int) -> tuple[int, int]:
        """Return the views and visits from opening balances in a period, for all of its sites."""
        of_sites = [one.opening.within(span, today) for one in (self, *self.parts)]
        return sum(views for views, _ in of_sites), sum(visits for _, visits in of_sites)

    def within(self, span: Span) -> dict[int, tuple[int, int]]:
        """Return the views and visits of days of the span."""
        return {day: counts for day, counts in self.counted.items() if span.holds(day)}

    async def visitors(self, store: Store, span: Span) -> dict[int, int]:
        """Return the visitors of each day that has any; never more than visits.

        Their sketches carry no position: they are capped where they are ahead of the counters.
        """
        seen = await counter_queries.visitors(store, [self.site], span.first, span.last + 1)
        return {
            day: min(
                max(0, visitors - self.taken_of(day).visitors), self.counted.get(day, (0, 0))[1]
            )
            for day, visitors in seen.get(self.site, {}).items()
        }

    def runs(self, span: Span) -> list[Correction]:
        """Return the corrections that are in force on days of the span."""
        return [row for row in active(self.ledger) if row.touches(*span)]

    def taken_of(self, day: int) -> Taken:
        """Return what corrections take back of a day."""
        return self.taken.get(day, Taken())

    def gross(self, day: int) -> tuple[int, int]:
        """Return the views and visits of a day including what corrections take back."""
        views, visits = self.counted.get(day, (0, 0))
        return views + self.taken_of(day).views, visits + self.taken_of(day).visits


async def take(store: Store, site: str, span: Span, *, with_opening: bool = False) -> Snapshot:
    """Read the counters, in one statement. Raises StoreError."""
    (counted, position), ledger = await asyncio.gather(
        counters(store, site, span), corrections.ledger(store, site)
    )
    brought = await opening.of_site(store, site) if with_opening else NO_OPENING
    # Only of those corrections, not of any made meanwhile.
    taken = await corrections.of_days(store, site, [row.run for row in ledger], span)
    return Snapshot(
        site,
        span,
        {
            day: (max(0, views - of_day.views), max(0, visits - of_day.visits))
            for day, (views, visits) in counted.items()
            for of_day in (taken.get(day, Taken()),)
        },
        position,
        {},
        ledger,
        taken,
        brought,
    )
