"""What the counters of a site held at one moment: all numbers of one answer are of it.

Raw hits are written before the counter rows that count them, and carry their position. So those up
to the position of the counters are exactly the hits that are counted.
"""

from collections.abc import Mapping
from typing import NamedTuple

from services.api.counter import queries as counter_queries
from services.api.stats import queries
from services.api.stats.spans import Span
from services.store.interface import Store


class Snapshot(NamedTuple):
    """The counters of a span of days.

    counted   views and visits of each day that has any, opening balances not included
    position  of the newest batch that is counted; -1 where nothing is
    """

    site: str
    span: Span
    counted: Mapping[int, tuple[int, int]]
    position: int

    def within(self, span: Span) -> dict[int, tuple[int, int]]:
        """Return the views and visits of days of the span."""
        return {day: counts for day, counts in self.counted.items() if span.holds(day)}

    async def visitors(self, store: Store, span: Span) -> dict[int, int]:
        """Return the visitors of each day that has any; never more than visits.

        Their sketches carry no position: what they are ahead of the counters is cut off.
        """
        seen = await counter_queries.visitors(store, [self.site], span.first, span.last + 1)
        return {
            day: min(visitors, self.counted.get(day, (0, 0))[1])
            for day, visitors in seen.get(self.site, {}).items()
        }


async def take(store: Store, site: str, span: Span) -> Snapshot:
    """Read the counters, in one statement. Raises StoreError."""
    counted, position = await queries.counters(store, site, span)
    return Snapshot(site, span, counted, position)
