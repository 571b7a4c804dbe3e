"""The statement that reads the last days of many sites at once."""

from collections.abc import Collection

from services.api.stats.spans import Span
from services.model.calendar import to_date, to_day
from services.store import corrections
from services.store.interface import Store

_TRENDS = """
SELECT site, start, argMax(views, position)
FROM counters
WHERE site IN %(sites)s AND grain = 'day' AND path = ''
    AND start >= %(first)s AND start <= %(last)s
GROUP BY site, start
"""


async def trends(store: Store, sites: Collection[str], span: Span) -> dict[str, list[int]]:
    """Return the views of each day of a span, without the ledger's opening balances."""
    daily = {site: [0] * span.days for site in sites}
    if not daily:
        return daily
    parameters = {
        "sites": sorted(daily),
        "first": to_date(span.first),
        "last": to_date(span.last),
    }
    for site, day, views in await store.execute(_TRENDS, parameters):
        daily[site][to_day(day) - span.first] = views
    for (site, _), days in (await corrections.taken(store, sites)).items():
        for day, of_day in days.items():
            if span.holds(day):
                place = day - span.first
                daily[site][place] = max(0, daily[site][place] - of_day.views)
    return daily
