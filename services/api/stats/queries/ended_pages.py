"""The statements about precomputed pages of past days.

A visitor counts anew on the next day, so a page's visitors add up over days; those from the raw
hits of other days are added to them.
"""

from collections.abc import Sequence

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import Counts, Measure
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.periods.coverage import Coverage
from services.api.stats.periods.spans import Span
from services.api.stats.queries import hits
from services.api.stats.queries.columns import fitting
from services.api.stats.queries.ended import made, other_days
from services.model.calendar import to_day
from services.store.interface import Store

_FILL = """
INSERT INTO ended_pages (site, day, version, path, views, begun, seen, beginners)
SELECT %(site)s AS site, day, %(version)s + toUInt64(day) AS version, path,
    toUInt32(count()) AS views, toUInt32(countIf(visit = 1)) AS begun,
    toUInt32(uniqExactIf(visitor, visitor != 0)) AS seen,
    toUInt32(uniqExactIf(visitor, visitor != 0 AND visit = 1)) AS beginners
FROM ({hits})
GROUP BY day, path
"""
_VIEWS = """
SELECT day, sum(views), sum(begun)
FROM ended_pages
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND ({made})
GROUP BY day
"""
_GROUPED = """
SELECT path AS name, of_views AS pageviews, {visits} AS visits, {visitors} AS visitors,
    toUInt64(0) AS bots
FROM (
    SELECT path, sum(part_views) AS of_views, sum(part_begun) AS of_begun,
        sum(part_seen) AS of_seen, sum(part_beginners) AS of_beginners
    FROM ({days})
    GROUP BY path
)
"""
_ENDED = """
SELECT path, sum(views) AS part_views, sum(begun) AS part_begun, sum(seen) AS part_seen,
    sum(beginners) AS part_beginners
FROM ended_pages
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND ({made}) AND {fits}
GROUP BY path
"""
_OTHERS = """
SELECT path, count() AS part_views, countIf(visit = 1) AS part_begun,
    toUInt64(uniqCombinedIf(visitor, visitor != 0)) AS part_seen,
    toUInt64(uniqCombinedIf(visitor, visitor != 0 AND visit = 1)) AS part_beginners
FROM ({hits})
GROUP BY path
"""


def are_there(query: StatsQuery, coverage: Coverage) -> bool:
    """Tell whether a query about pages can be answered from precomputed ones."""
    return (
        bool(coverage.ended)
        and query.until_ms is None
        and Measure.BOTS not in query.measures
        and all(of.by is Property.PAGE for of in query.filters)
    )


def grouped(query: StatsQuery, coverage: Coverage) -> str:
    """Return the statement with a row per page, with the parameters of those for raw hits."""
    fits, _ = fitting(query.filters)
    days = [_ENDED.format(made=made(coverage), fits=fits)]
    if others := other_days(coverage, query.span):
        days.append(_OTHERS.format(hits=_hits(coverage, others, f" AND {fits}")))
    visits, visitors = hits.visits_of_page("of_views", "of_begun", "of_seen", "of_beginners")
    return _GROUPED.format(
        visits=visits if Measure.VISITS in query.measures else "of_begun",
        visitors=visitors if query.wants(hits.VISITORS) else "toUInt64(0)",
        days=" UNION ALL ".join(days),
    )


async def by_day(store: Store, query: StatsQuery, coverage: Coverage) -> dict[int, Counts]:
    """Return the views of each day, and the visits that began on a page of it."""
    statement = _VIEWS.format(made=made(coverage))
    rows = await store.execute(statement, hits.days(query.site.kept_as, query.span))
    return {to_day(day): Counts(pageviews=views, visits=begun) for day, views, begun in rows}


async def fill(
    store: Store, site: str, days: Sequence[Span], coverage: Coverage, version: int
) -> None:
    """Precompute the pages of days within one month; see `ending.fill`."""
    statement = _FILL.format(hits=_hits(coverage, days))
    whole = Span(days[0].first, days[-1].last)
    await store.execute(statement, {**hits.days(site, whole), "version": version})


def _hits(coverage: Coverage, days: Sequence[Span], condition: str = "") -> str:
    columns = ["day", "visitor", "visit", "path"]
    return hits.source(coverage, columns, f" AND bot = 0 AND ({hits.within(days)}){condition}")
