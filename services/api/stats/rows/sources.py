"""Where the rows of a property come from: raw hits, or, for pages without these, counters."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import APART, Counts, Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.periods.coverage import Coverage
from services.api.stats.queries import ended_pages, hits, visits
from services.api.stats.rows import queries_pages
from services.store.interface import Store

FROM_COUNTERS = (
    "the counters of pages answer, of which visits are those that began on the page, and which know"
    " neither visitors nor other filters"
)
"""The remark about visits of pages that come from counters."""


class RowsSource(NamedTuple):
    """A statement with a row per value, with the columns name and those of Counts.

    is_counters  whether the rows come from counters: exact views, and visits that began there
    """

    statement: str
    parameters: Mapping[str, Any]
    is_counters: bool = False


def of_hits(
    query: StatsQuery, coverage: Coverage, by: Property, column: str = "", where: str = ""
) -> RowsSource:
    """Return the rows from raw hits; `column` and `where` are those of `grouped`."""
    if by is Property.EXIT_PAGE:
        return RowsSource(visits.ended(query, coverage), visits.ended_parameters(query))
    is_page = by is Property.PAGE and not (column or where)
    if is_page and ended_pages.are_there(query, coverage):
        statement = ended_pages.grouped(query, coverage)
        return RowsSource(statement, hits.parameters(query))
    statement = hits.grouped(query, coverage, by, column, where)
    return RowsSource(statement, hits.parameters(query))


def of_counters(query: StatsQuery, column: str = "path", where: str = "") -> RowsSource:
    """Return the rows of pages from their counters."""
    statement = queries_pages.grouped(query, column, where)
    return RowsSource(statement, queries_pages.parameters(query), is_counters=True)


async def first(
    store: Store, query: StatsQuery, source: RowsSource, breakdown: BreakdownQuery, more: int
) -> dict[str, Counts]:
    """Return the rows of a breakdown; `more` is that of `hits.breakdown`."""
    statement, parameters, _ = source
    return await hits.breakdown(store, query, statement, parameters, breakdown, more=more)


def can_be_counted(query: StatsQuery, by: Property) -> bool:
    """Tell whether counters can answer a breakdown whose raw hits are gone."""
    measures = set(query.measures)
    return queries_pages.are_counted(query, by) and measures <= {*queries_pages.COUNTED, *APART}


def are_views(query: StatsQuery) -> bool:
    """Tell whether a query asks only for views of pages, or for what is kept apart like them."""
    views = {Measure.PAGEVIEWS, *APART}
    return queries_pages.are_counted(query) and views.issuperset(query.measures)


def said(query: StatsQuery, gone: list[str]) -> list[str]:
    """Return the warning about rows from counters: none for views, which are exact."""
    if Measure.VISITS not in query.measures:
        return []
    return [f"{gone[0].partition(', which')[0]} are gone: {FROM_COUNTERS}"]
