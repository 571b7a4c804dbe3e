"""The statement that reads what the public counter reads: the counters."""

from services.api.stats.periods.spans import Span
from services.model.calendar import Grain, to_date, to_day
from services.store.interface import Store

# One statement sees whole flushes: a site's newest row tells up to where all of its days are.
_COUNTERS = """
SELECT toString(grain), start, argMax(views, position), argMax(visits, position), max(position)
FROM counters
WHERE site = %(site)s AND path = ''
    AND (grain = 'total' OR (grain = 'day' AND start >= %(first)s AND start <= %(last)s))
GROUP BY grain, start
"""


async def counters(store: Store, site: str, span: Span) -> tuple[dict[int, tuple[int, int]], int]:
    """Return the views and visits of each day that has any, and the position reached, or -1."""
    parameters = {"site": site, "first": to_date(span.first), "last": to_date(span.last)}
    days: dict[int, tuple[int, int]] = {}
    newest = -1
    for grain, start, views, visits, position in await store.execute(_COUNTERS, parameters):
        newest = max(newest, position)
        if grain == Grain.DAY:
            days[to_day(start)] = (views, visits)
    return days, newest
