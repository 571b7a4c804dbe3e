"""The statements that read what the public counter reads: counters, and sketches of visitors."""

from services.api.counter import queries
from services.api.stats.spans import Span
from services.model.calendar import to_date, to_day
from services.store.interface import Store

_COUNTERS = """
SELECT start, argMax(views, position), argMax(visits, position)
FROM counters
WHERE site = %(site)s AND grain = 'day' AND path = ''
    AND start >= %(first)s AND start <= %(last)s
GROUP BY start
"""


async def counters(store: Store, site: str, span: Span) -> dict[int, tuple[int, int]]:
    """Return the views and visits of each day that has any, opening balances not included."""
    parameters = {"site": site, "first": to_date(span.first), "last": to_date(span.last)}
    rows = await store.execute(_COUNTERS, parameters)
    return {to_day(day): (views, visits) for day, views, visits in rows}


async def visitors(store: Store, site: str, span: Span) -> dict[int, int]:
    """Return the visitors of each day that has any, as the public counter has them."""
    return (await queries.visitors(store, [site], span.first, span.last + 1)).get(site, {})
