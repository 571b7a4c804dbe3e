"""The statements that read pages from their counters, which are kept for good.

A page has a counter for each day, month and year, with its views and the visits that began on it.
What corrections subtract, and views that were under `(other)`, are read in addition, by day.
"""

from typing import Any

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import Measure
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.periods.spans import Span
from services.api.stats.queries import hits
from services.api.stats.queries.columns import fitting
from services.model.calendar import Grain, period_end, period_start, to_date, to_day
from services.model.hit import OTHER_PATH
from services.store.interface import Store

COUNTED = (Measure.PAGEVIEWS, Measure.VISITS)
"""What the counters of pages know; a visit is counted on the page that it began on."""

_GROUPED = """
SELECT {column} AS name, toUInt64(sum(of_views)) AS pageviews,
    toUInt64(greatest(sum(of_visits), toInt64(0))) AS visits,
    toUInt64(0) AS visitors, toUInt64(0) AS bots
FROM ({pages}){where}
GROUP BY name
HAVING sum(of_views) > 0
"""

_PAGES = """
SELECT path, {start} AS day, toInt64(views) AS of_views, toInt64(visits) AS of_visits
FROM counters FINAL
WHERE site = %(site)s AND path != '' AND ({tiles}) AND {fits}
UNION ALL
SELECT path, day, toInt64(views) AS of_views, toInt64(visits) AS of_visits
FROM returned_views FINAL
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND {fits}
UNION ALL
SELECT path, day, -of_page AS of_views, -of_page_visits AS of_visits
FROM (
    SELECT %(other)s AS path, day, toInt64(views) AS of_page, toInt64(visits) AS of_page_visits
    FROM returned_views FINAL
    WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s
)
WHERE {fits}
UNION ALL
SELECT path, day, -any(views) AS of_views, -any(visits) AS of_visits
FROM correction_entries
WHERE site = %(site)s AND path != '' AND day >= %(first)s AND day <= %(last)s AND {fits}
    AND run IN (SELECT run FROM corrections WHERE site = %(site)s)
GROUP BY path, day, run
"""

_DAYS = "SELECT day, toInt64(sum(of_views)) FROM ({pages}) GROUP BY day"


def are_counted(query: StatsQuery, by: Property = Property.PAGE) -> bool:
    """Tell whether page counters can answer a query: they support no filters except by page."""
    if query.until_ms is not None:
        return False
    return by is Property.PAGE and all(of.by is Property.PAGE for of in query.filters)


def grouped(query: StatsQuery, column: str = "path", where: str = "") -> str:
    """Return the statement with a row per page, with the columns of those for raw hits."""
    return _GROUPED.format(column=column, where=where, pages=_pages(query, "start"))


def parameters(query: StatsQuery) -> dict[str, Any]:
    """Return the parameters of these statements."""
    return hits.parameters(query) | {"other": OTHER_PATH}


async def by_day(store: Store, query: StatsQuery) -> dict[int, int]:
    """Return the views of each day of the pages that pass the filters."""
    days = "grain = 'day' AND start >= %(first)s AND start <= %(last)s"
    statement = _DAYS.format(pages=_pages(query, "start", days))
    rows = await store.execute(statement, parameters(query))
    return {to_day(day): max(0, views) for day, views in rows}


def _pages(query: StatsQuery, start: str, tiles: str = "") -> str:
    fits, _ = fitting(query.filters)
    return _PAGES.format(start=start, tiles=tiles or tiles_of(query.span), fits=fits)


def tiles_of(span: Span) -> str:
    """Return the condition for the years, months and days that make up a span."""
    starts: dict[Grain, list[int]] = {Grain.YEAR: [], Grain.MONTH: [], Grain.DAY: []}
    day = span.first
    while day <= span.last:
        for grain, of_grain in starts.items():
            after = period_end(day, grain)
            if period_start(day, grain) == day and after - 1 <= span.last:
                of_grain.append(day)
                day = after
                break
    return " OR ".join(
        f"(grain = '{grain.value}' AND start IN ({', '.join(map(_quoted, days))}))"
        for grain, days in starts.items()
        if days
    )


def _quoted(day: int) -> str:
    return f"'{to_date(day).isoformat()}'"
