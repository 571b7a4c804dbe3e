"""`/admin/sites/{slug}/all/{panel}`: every row of a panel, searched, sorted, a page at a time."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from starlette.responses import Response, StreamingResponse

from services.api.access.trail import Occasion
from services.api.dashboard.requests import query_parameters
from services.api.dashboard.requests.page_request import PageRequest
from services.api.dashboard.requests.query_parameters import Links
from services.api.dashboard.texts.days import uncounted_text
from services.api.dashboard.texts.kept import kept_text
from services.api.dashboard.texts.language import Language
from services.api.dashboard.traffic.bars import apart_name, value_name
from services.api.dashboard.traffic.shown_names import names_of, titles_for_file, titles_of
from services.api.dashboard.traffic.site_page import against_label, chip, period_label
from services.api.stats.grammar.site_query import (
    COMPARISONS,
    FILTER_FIELDS,
    LONG_PERIODS,
    MEASURED,
    PERIODS,
    REPORTS,
    Scope,
)
from services.api.stats.panels.contents import Figure
from services.api.stats.rows.question import BELOW, NAME, ROOT, AllRow, AllRows, RowsQuery
from services.http.departures import unless_gone
from services.http.errors import ApiError
from services.model.calendar import to_date
from services.model.kept_apart import Apart

_PARAMETERS = ("search", "sort", "order", "section", "of")


class MeasureCell(NamedTuple):
    """A number of a row, and its change; None if that is unknown."""

    value: str
    change: float | None
    change_text: str
    is_better: bool | None


class ShownRow(NamedTuple):
    """A row of the table.

    code   the value itself, such as the code of a country
    title  of a page; '' if unknown
    """

    name: str
    code: str
    title: str
    link: str
    hint: str
    cells: Sequence[MeasureCell]


class SortedColumn(NamedTuple):
    """The heading of a column: its current order, as in aria-sort, and the link to sort by it."""

    name: str
    label: str
    sorted: str
    link: str


async def rows(page: PageRequest) -> Response:
    """Return the page."""
    panel, t = page.request.path_params["panel"], page.t
    query = query_parameters.read(page)
    panels = await page.dependencies.stats.panels(page.site, query, page.signed_in, page.request)
    scope = panels.scope
    rows_query = panels.rows.parse(panel, page.parameter, names_of(panel, t))
    parameters = {name: value for name in _PARAMETERS if (value := page.parameter(name))}
    links = Links(panels.site.slug, scope, page.base, f"/all/{panel}", parameters)
    whole = Links(panels.site.slug, scope, page.base)
    result = AllRows([], False, rows_query.measures, (), [])
    refusal: ApiError | None = None
    try:
        result = await unless_gone(page.request, panels.rows.read(rows_query))
    except ApiError as error:
        refusal = error
    is_less = result.is_gone or bool(result.warnings)
    of_hits = await unless_gone(page.request, panels.rows.kept(rows_query)) if is_less else None
    below = rows_query.section
    titles = await titles_of(page, panel, (row.name for row in result.rows))

    def page_of(row: AllRow) -> str:
        return whole.path(filters=panels.rows.narrowed(rows_query, row.name))

    return page.render(
        "rows.html",
        site=panels.site,
        panel=panel,
        query=scope.query,
        asked=rows_query,
        links=links,
        whole=whole,
        tabs=[(name, whole.below(f"/all/{name}")) for name in panels.rows.panels],
        periods=PERIODS,
        more_periods=(*LONG_PERIODS, *REPORTS),
        comparisons=COMPARISONS,
        label=period_label(scope, t),
        against=against_label(scope, t),
        first=to_date(scope.span.first).isoformat(),
        last=to_date(scope.elapsed.last).isoformat(),
        today=to_date(scope.today).isoformat(),
        chips=[]
        if rows_query.kind
        else [(chip(one, t), links.path(filters=one.others)) for one in scope.applied],
        is_unfiltered=bool(rows_query.kind and scope.applied),
        filtered=FILTER_FIELDS,
        fields=links.fields(but=("search",)),
        custom=links.fields(but=("period", "date")),
        columns=_columns(panel, rows_query, result.measures, links, t),
        rows=[
            _row(
                panel,
                row,
                panels.rows.figures(row, result),
                links,
                page_of(row),
                titles.get(row.name, ""),
                is_final=not scope.is_under_way,
                t=t,
            )
            if rows_query.kind is None
            else _row_apart(
                rows_query, row, panels.rows.figures(row, result), links, page_of(row), t
            )
            for row in result.rows
        ],
        refusal=refusal,
        problem="" if refusal is None else "; ".join(refusal.errors.values()),
        found=result,
        uncompared=_uncompared(result, scope, t) if result.rows else "",
        kept=kept_text(of_hits, t) if is_less else "",
        trail=_way_back(panel, rows_query.of, links, t)
        if below is None
        else _trail(below, links, t),
        traffic=""
        if below in (None, ROOT)
        else whole.path(filters=panels.rows.below(rows_query, below or "")),
        pages=links.with_more(section="", search=""),
        sections=links.with_more(section=ROOT, search=""),
        earlier_rows=links.with_more(page=str(rows_query.page - 1)) if rows_query.page > 1 else "",
        later_rows=links.with_more(page=str(rows_query.page + 1)) if result.has_more else "",
        csv=links.file(),
    )


async def csv(page: PageRequest) -> Response:
    """Stream all rows as CSV, with changes where they are known."""
    panel = page.request.path_params["panel"]
    query = query_parameters.read(page)
    panels = await page.dependencies.stats.panels(page.site, query, page.signed_in, page.request)
    rows_query = panels.rows.parse(panel, page.parameter, names_of(panel, page.t))
    titles = titles_for_file(page, panel)
    name, texts, headers = await unless_gone(
        page.request, panels.rows.csv(rows_query, page.t.column, titles)
    )
    if page.signed_in is not None:
        page.dependencies.trail.count(
            Occasion(page.signed_in.name, "export", panel, page.site.slug), "files"
        )

    async def marked() -> AsyncIterator[str]:
        # Without the byte order mark, spreadsheets read a file as Latin-1.
        yield "\ufeff"
        async for text in texts:
            yield text

    disposition = f'attachment; filename="{name}"'
    return StreamingResponse(
        marked(),
        media_type="text/csv; charset=utf-8",
        headers={**headers, "Content-Disposition": disposition},
    )


def _uncompared(found: AllRows, scope: Scope, t: Language) -> str:
    """Return why some changes are not shown; '' if all that were asked for are."""
    left = [measure for measure in found.measures if measure not in found.compared]
    if scope.before is None or not left:
        return ""
    if scope.opening is not MEASURED:
        return t("rows.uncompared.opening")
    if found.uncounted is not None:
        return uncounted_text(found.uncounted, t)
    measures = ", ".join(t(f"measure.{measure}") for measure in left)
    return t("rows.uncompared.gone", measures=measures)


def _columns(
    panel: str, asked: RowsQuery, measures: Sequence[str], links: Links, t: Language
) -> list[SortedColumn]:
    columns = []
    for name in (NAME, *map(str, measures)):
        label = t(f"by.{asked.field}") if name == NAME else t(f"measure.{name}")
        is_sorted = asked.sort == name
        state = ("ascending" if asked.rising else "descending") if is_sorted else "none"
        rising = not asked.rising if is_sorted else name == NAME
        link = links.with_more(sort=name, order="asc" if rising else "desc")
        columns.append(SortedColumn(name, label, state, link))
    return columns


def _row(
    panel: str,
    row: AllRow,
    figures: Sequence[Figure],
    links: Links,
    narrowed: str,
    title: str,
    *,
    is_final: bool,
    t: Language,
) -> ShownRow:
    name = value_name(panel, row.name, t)
    if row.is_section and links.more.get("section"):
        link = links.with_more(section=row.name.removesuffix(BELOW) + "/", search="")
        hint = t("rows.open", value=name)
    else:
        link, hint = narrowed, t("filters.add", value=name)
    return ShownRow(name, row.name, title, link, hint, _cells(figures, t, is_final=is_final))


def _row_apart(
    asked: RowsQuery,
    row: AllRow,
    figures: Sequence[Figure],
    links: Links,
    traffic: str,
    t: Language,
) -> ShownRow:
    """Return a row of what is counted separately, with a link to the pages that led to it, if any.

    A row that is such a page itself links to the traffic of that page.
    """
    name, link, hint = apart_name(row.name, t), "", ""
    if asked.of:
        # A page of the site itself, not of another host.
        if row.name.startswith(ROOT):
            link, hint = traffic, t("filters.add", value=name)
    elif asked.kind is not Apart.DOWNLOADS:
        link, hint = links.with_more(of=row.name, search="", sort=""), t("rows.from", value=name)
    # More searches are neither better nor worse.
    return ShownRow(name, row.name, "", link, hint, _cells(figures, t, is_final=False))


def _cells(figures: Sequence[Figure], t: Language, *, is_final: bool) -> list[MeasureCell]:
    cells = []
    for figure in figures:
        text = "" if figure.change is None else t.percent(abs(figure.change))
        better = (figure.change or 0) > 0 if is_final else None
        cells.append(MeasureCell(t.number(figure.value), figure.change, text, better))
    return cells


def _way_back(panel: str, of: str, links: Links, t: Language) -> list[tuple[str, str]]:
    """Return the breadcrumbs from one row of what is counted separately back to all of them."""
    whole = links.with_more(of="", search="", sort="")
    return [(t(f"panel.{panel}"), whole), (apart_name(of, t), "")] if of else []


def _trail(section: str, links: Links, t: Language) -> list[tuple[str, str]]:
    """Return the breadcrumbs of a section: name and URL of each; its own URL is ''."""
    steps = [(t("rows.top"), ROOT)]
    for folder in section.strip("/").split("/"):
        if folder:
            steps.append((f"{folder}/", f"{steps[-1][1]}{folder}/"))
    return [
        (name, "" if path == section else links.with_more(section=path, search=""))
        for name, path in steps
    ]
