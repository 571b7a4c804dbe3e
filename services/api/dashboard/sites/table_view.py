"""The table of sites as pages show it: for a list of sites, a group, and a public group."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from markupsafe import Markup

from services.api.dashboard.requests import query_parameters
from services.api.dashboard.requests.forms import whole_number
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.dashboard.requests.query_parameters import Links
from services.api.dashboard.texts.days import uncounted_text
from services.api.dashboard.texts.language import Language
from services.api.dashboard.traffic.chart import sparkline
from services.api.dashboard.traffic.rows_page import MeasureCell, SortedColumn
from services.api.dashboard.traffic.site_page import against_label, period_label
from services.api.stats.grammar.site_query import (
    CHARTED,
    COMPARISONS,
    LONG_PERIODS,
    PERIODS,
    REPORTS,
    Scope,
    SiteQuery,
)
from services.api.stats.many.many_sites import ManySites, SumOfSites
from services.api.stats.many.table import NAME, RankedSite, SitesTable, TableQuery
from services.http.departures import unless_gone
from services.model.calendar import to_date
from services.model.group import Group
from services.model.site import Site

SITES_A_PAGE = 200
_KEPT = ("search", "sort", "order", "group")
_MEASURES = tuple(measure.value for measure in CHARTED)


class NumberCells(NamedTuple):
    """The numbers of a row: a cell for each measure, then the change and the trend.

    partly  for a sum without a change: the change of the sites whose two periods are both known
    of      how many sites these are, as text
    """

    values: Sequence[str]
    change: MeasureCell
    hint: str
    trend: Markup | None
    partly: MeasureCell | None = None
    of: str = ""


class ShownSiteRow(NamedTuple):
    """A site in the table.

    hint    its hosts, or its slug
    silent  since when it has been silent, as text; '' if it is not
    """

    rank: str
    name: str
    hint: str
    link: str
    numbers: NumberCells
    online: int | None
    silent: str


class ShownGroupRow(NamedTuple):
    """A group in a table of groups."""

    name: str
    link: str
    sites: int
    numbers: NumberCells


class ReadSites(NamedTuple):
    """What was read for a page."""

    many: ManySites
    table: SitesTable


def asked(page: PageRequest) -> tuple[SiteQuery, TableQuery]:
    """Return what the URL asks for; sorting by a measure also selects it."""
    query = msgspec.structs.replace(query_parameters.read(page), filters="")
    sort = page.parameter("sort")
    if sort in _MEASURES:
        query = msgspec.structs.replace(query, measure=sort)
    return query, TableQuery(sort, page.parameter("order"), page.parameter("search"))


async def read(page: PageRequest, sites: Sequence[Site], *, is_public: bool = False) -> ReadSites:
    """Read the table of sites. Raises ApiError."""
    query, rows = asked(page)
    tables, who = page.dependencies.tables, None if is_public else page.principal

    async def reading() -> ReadSites:
        many = await tables.read(sites, query, who, page.request)
        return ReadSites(many, await tables.table(sites, many, rows, who))

    return await unless_gone(page.request, reading())


def context(page: PageRequest, found: ReadSites, base: str, *, is_public: bool) -> dict[str, Any]:
    """Return the variables of the template.

    base  the URL of the page that shows the table
    """
    t, table, scope = page.t, found.table, found.table.scope
    parameters = {name: value for name in _KEPT if (value := page.parameter(name))}
    links = Links("", scope, base, more=parameters)
    last = max(1, -(-len(table.rows) // SITES_A_PAGE))
    current = min(last, max(1, whole_number(page.parameter("page")) or 1))
    shown = table.rows[(current - 1) * SITES_A_PAGE : current * SITES_A_PAGE]
    return {
        **_period(scope, links, t),
        "base": base,
        "search": table.query.search,
        "fields": links.fields(but=("search", "group", "sort")),
        "sorted_by": table.query.sort,
        "measures": _MEASURES,
        "columns": _columns(table.query, links, t, is_public=is_public),
        "rows": [_row(row, scope, t, is_public=is_public) for row in shown],
        "sum": sum_of(table.total, scope, t),
        "found": len(table.rows),
        "sites": table.sites,
        "unknown": len(table.total.unknown),
        "page": current,
        "last_page": last,
        "earlier_rows": links.with_more(page=str(current - 1)) if current > 1 else "",
        "later_rows": links.with_more(page=str(current + 1)) if current < last else "",
        "csv": _file(links, "csv"),
        "xlsx": _file(links, "xlsx"),
        "is_public": is_public,
    }


def _file(links: Links, ending: str) -> str:
    return f"{links.home}/sites.{ending}{links.path().removeprefix(links.home)}"


def period(scope: Scope, base: str, t: Language) -> dict[str, Any]:
    """Return the variables for choosing a period, on a page that is not about one site."""
    return _period(scope, Links("", scope, base), t)


def _period(scope: Scope, links: Links, t: Language) -> dict[str, Any]:
    return {
        "query": scope.query,
        "links": links,
        "periods": PERIODS,
        "more_periods": (*LONG_PERIODS, *REPORTS),
        "comparisons": COMPARISONS,
        "label": period_label(scope, t),
        "against": against_label(scope, t),
        "first": to_date(scope.span.first).isoformat(),
        "last": to_date(scope.elapsed.last).isoformat(),
        "today": to_date(scope.today).isoformat(),
        "custom": links.fields(but=("period", "date")),
    }


def groups(
    page: PageRequest, children: Sequence[tuple[Group, Sequence[Site]]], many: ManySites
) -> list[ShownGroupRow]:
    """Return a row for each group, with the sums of its sites."""
    return [
        ShownGroupRow(
            group.name or group.slug,
            address_of(group, many.scope),
            len(sites),
            sum_of(many.together(sites), many.scope, page.t),
        )
        for group, sites in children
    ]


def address_of(group: Group, scope: Scope) -> str:
    """Return the URL of the page of a group, for the same period."""
    return query_parameters.elsewhere(f"{HOME}/groups/{group.slug}", scope.query)


def sum_of(of: SumOfSites, scope: Scope, t: Language) -> NumberCells:
    """Return the numbers of several sites; if some are new, with the change of the others."""
    cells = numbers(of, scope, t)
    if not of.unknown:
        return cells
    cells = cells._replace(hint=t("table.sum.unknown", count=len(of.unknown)))
    if of.compared is None or (change := of.compared.change(scope.measure)) is None:
        return cells
    better = None if scope.is_under_way else change > 0
    partly = MeasureCell("", change, t.percent(abs(change)), better)
    known, left = of.compared.sites, len(of.unknown)
    return cells._replace(partly=partly, of=t("table.sum.known", count=known, all=known + left))


def numbers(of: SumOfSites, scope: Scope, t: Language) -> NumberCells:
    """Return the numbers of a row as text; dashes if nothing was ever counted."""
    change = of.change(scope.measure)
    better = None if scope.is_under_way else (change or 0) > 0
    text = "" if change is None else t.percent(abs(change))
    value = of.now.value(scope.measure)
    gap = ""
    if scope.before and of.value_before(scope.measure) is None:
        gap = t("table.no_change")
        if of.uncounted is not None:
            gap = uncounted_text(of.uncounted, t) or gap
    return NumberCells(
        ["–" if of.is_nothing else t.number(of.now.value(measure)) for measure in CHARTED],
        MeasureCell(t.number(value), change, text, better),
        gap,
        _trend(of, scope, t),
    )


def _trend(of: SumOfSites, scope: Scope, t: Language) -> Markup | None:
    points = [int(counts.value(scope.measure) or 0) for counts in of.trend]
    if len(points) < 2 or not any(points):
        return None
    measure = t(f"measure.{scope.measure}")
    return sparkline(points, t("table.trend.of", measure=measure, total=t.number(sum(points))))


def _columns(
    query: TableQuery, links: Links, t: Language, *, is_public: bool
) -> list[SortedColumn]:
    """Return the headings of the columns that the table can be sorted by."""
    labels = {NAME: t("table.site"), **{one: t(f"measure.{one}") for one in _MEASURES}}
    labels["change"] = t("table.change")
    if not is_public:
        labels |= {"online": t("table.online"), "silent": t("table.silent")}
    columns = []
    for name, label in labels.items():
        is_sorted = query.sort == name
        state = {"asc": "ascending", "desc": "descending"}[query.order] if is_sorted else "none"
        turned = {"asc": "desc", "desc": "asc"}[query.order] if is_sorted else ""
        columns.append(SortedColumn(name, label, state, links.with_more(sort=name, order=turned)))
    return columns


def _row(row: RankedSite, scope: Scope, t: Language, *, is_public: bool) -> ShownSiteRow:
    site = row.site
    home = f"/public/{site.slug}" if is_public else f"{HOME}/sites/{site.slug}"
    silent = "" if row.silent is None else t.moment(row.silent, site.zone_at(row.silent))
    hosts = [t("hosts.any") if host == "*" else host for host in site.hosts]
    return ShownSiteRow(
        str(row.rank),
        site.name or site.slug,
        ", ".join(hosts) or site.slug,
        query_parameters.elsewhere(home, scope.query),
        numbers(row.numbers, scope, t),
        row.online,
        silent,
    )
