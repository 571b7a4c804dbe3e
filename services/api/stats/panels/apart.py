"""The panels of what is counted apart from views: files, missing pages, searches, outbound."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from services.api.counter import queries
from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery, apart
from services.api.stats.grammar.site_query import Scope
from services.api.stats.panels.contents import BreakdownRow, PanelResult
from services.api.stats.periods.opening import Opening
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import Row
from services.model.kept_apart import FREE, Apart, kind_of
from services.model.site import Site

PANELS: Mapping[str, Apart] = {
    kind.value: kind for kind in (Apart.NOT_FOUND, Apart.SEARCHES, Apart.OUTBOUND, Apart.DOWNLOADS)
}
"""By name, in page order."""
NAMED: Mapping[Apart, str] = {
    Apart.DOWNLOADS: "file",
    Apart.NOT_FOUND: "page",
    Apart.SEARCHES: "words",
    Apart.OUTBOUND: "link",
}
"""What the rows of each panel are named by."""
ROWS = 10


def shown_to(*, is_public: bool) -> tuple[str, ...]:
    """Return the panels that the public sees, or those for everybody with access to the site."""
    return tuple(name for name, kind in PANELS.items() if not (is_public and kind in FREE))


def question_of_kind(
    reader: StatsReader,
    site: Site,
    scope: Scope,
    kind: Apart,
    by: Property = Property.PAGE,
    *,
    is_public: bool = False,
) -> StatsQuery:
    """Return a query for a kind, on the days of the scope; its filters, for views, do not apply."""
    question = StatsQuery(
        apart(site, kind), scope.elapsed, (Measure(kind.value),), today=scope.today
    )
    return question.of_shown_pages(by, reader.parts(question.site)) if is_public else question


async def first_rows(
    reader: StatsReader, site: Site, scope: Scope, *, is_public: bool
) -> PanelResult[dict[str, PanelResult[list[BreakdownRow]]]]:
    """Return the first rows of each panel that has any, by name. Raises ApiError.

    None when filters or opening balances are asked for, which apply to views only.
    """
    if scope.filters or scope.opening is Opening.ONLY:
        return PanelResult({})
    counted = await _counted(reader, site, scope)
    names = [name for name in shown_to(is_public=is_public) if PANELS[name] in counted]
    questions = [
        question_of_kind(reader, site, scope, PANELS[name], is_public=is_public) for name in names
    ]
    read = await asyncio.gather(*(_panel(reader, question) for question in questions))
    return PanelResult(
        {name: panel for name, panel in zip(names, read, strict=True) if panel.value}
    )


async def _counted(reader: StatsReader, site: Site, scope: Scope) -> Collection[Apart]:
    """Return the kinds that the site had any of by the end of the period."""
    names = [part.kept_as for kind in Apart for part in reader.parts(apart(site, kind))]
    async with reader.turn() as store:
        first = await queries.first_days(store, names)
    return {
        kind
        for name, day in first.items()
        if day <= scope.elapsed.last and (kind := kind_of(name)) is not None
    }


async def _panel(reader: StatsReader, question: StatsQuery) -> PanelResult[list[BreakdownRow]]:
    result, total = await asyncio.gather(
        reader.breakdown(question, BreakdownQuery(Property.PAGE, ROWS, 1)),
        reader.total(question, partly=True),
    )
    rows = [row for row in result.rows if row.counts.pageviews]
    whole = max(total.total().pageviews, 1)
    return PanelResult(_rows(rows, whole), partial=bool(result.warnings))


def _rows(rows: Sequence[Row], whole: int) -> list[BreakdownRow]:
    counted = [(name, counts.pageviews) for name, counts in rows]
    most = max((count for _, count in counted), default=1)
    return [
        BreakdownRow(name, count, count / most, round(100 * count / max(whole, count)), "")
        for name, count in counted
    ]
