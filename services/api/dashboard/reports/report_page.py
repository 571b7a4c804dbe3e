"""`/admin/sites/{slug}/report`: the traffic of a period, to print, pass on and keep.

`/admin/groups/{group}/report` is the report of a group of sites.
"""

from datetime import date
from typing import NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.responses import Response

from services.api.access.trail import Occasion
from services.api.dashboard.reports import sheets
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.dashboard.requests.query_parameters import elsewhere
from services.api.dashboard.texts.kept import kept_in_report
from services.api.dashboard.texts.language import PARAMETER, Language
from services.api.dashboard.traffic.chart import NARROW, WIDE, Point, chart
from services.api.stats.grammar.site_query import CUSTOM, MEASURED, OPENINGS, SiteQuery
from services.api.stats.reports.report_query import DEFAULT, REPORT_PERIODS, ReportQuery
from services.api.stats.reports.traffic_report import (
    ReportFigure,
    ReportList,
    ReportPart,
    ReportRow,
    TrafficReport,
)
from services.api.stats.reports.unit import ReportUnit
from services.api.stats.reports.workbook import XLSX, workbook
from services.http.departures import unless_gone
from services.model.account import Role

_MOST_DAYS = 62
"""A longer report shows months; its days are in the workbook."""


class ChartedRows(NamedTuple):
    """The days of a report, or its months, each with its name, and their charts."""

    rows: list[tuple[str, ReportRow]]
    charts: list[Markup]
    name: str
    by_month: bool


async def unit_of(page: PageRequest) -> ReportUnit:
    """Return the site or group named by the URL or shown by a link. Raises ApiError, 404."""
    if page.shown is not None and page.shown.report is not None:
        return page.shown.report.unit
    group = page.request.path_params.get("group")
    if group is None:
        return ReportUnit.of_site(page.site)
    return await page.dependencies.report_units.group(group, page.principal)


def home_of(unit: ReportUnit) -> str:
    """Return the URL of the page of a site or group."""
    return f"{HOME}/{'sites' if unit.group is None else 'groups'}/{unit.slug}"


async def report(page: PageRequest) -> Response:
    """Return the report as a page."""
    query, unit = _query(page), await unit_of(page)
    made = await _made(page, unit, query)
    now_ms = int(page.dependencies.clock() * 1000)
    t = page.t
    charted = _charted(made, t)
    return page.render(
        "report.html",
        home=home_of(unit),
        back=elsewhere(
            home_of(unit),
            SiteQuery(
                query.period,
                query.dates or made.days.first.isoformat(),
                opening=query.opening,
            ),
        ),
        report=made,
        title=sheets.title(made, t),
        unit=sheets.unit(made),
        first=t.date_of(made.days.first),
        last=t.date_of(made.days.last),
        compared=sheets.compared(made, t),
        figures=_figures(made, t),
        per_month=any(one.per_month is not None for one in made.figures),
        charts=charted.charts,
        chart_name=charted.name,
        by_month=charted.by_month,
        rows=charted.rows,
        lists=_lists(made, t),
        kept=kept_in_report(made, t),
        notes=sheets.notes(made, t),
        meanings=sheets.meanings(t),
        sites=sheets.sites_in_order(made) if made.group else [],
        change=lambda change: sheets.change_text(change, t),
        made_at=t.moment(now_ms, unit.sites[0].zone_at(now_ms)),
        query=query,
        periods=REPORT_PERIODS[:-1],
        custom=CUSTOM,
        openings=OPENINGS,
        xlsx=_address(page, unit, query),
        may_mail=may_mail(page, unit),
        of_report=_encoded(query),
    )


async def xlsx(page: PageRequest) -> Response:
    """Return the report as a workbook."""
    unit = await unit_of(page)
    made = await _made(page, unit, _query(page))
    if page.signed_in is not None:
        what = "report" if unit.group is None else f"report {unit.slug}"
        page.dependencies.trail.count(
            Occasion(page.signed_in.name, "export", what, unit.audited_as), "files"
        )
    return Response(
        workbook(sheets.sheets(made, page.t), page.t.lang),
        media_type=XLSX,
        headers={
            "Cache-Control": "private, no-store",
            "Content-Disposition": f'attachment; filename="{made.file_name}.xlsx"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def opened_from(page: PageRequest) -> ReportQuery:
    """Return the report from which a page was opened; without a period if there is none."""
    opening = page.parameter("opening") or MEASURED.value
    return ReportQuery(page.parameter("period"), page.parameter("date"), opening)


def query_text(page: PageRequest) -> str:
    """Return the query string of the report a page was opened from; '' if there is none."""
    query = opened_from(page)
    return _encoded(query) if query.period else ""


def may_mail(page: PageRequest, unit: ReportUnit) -> bool:
    """Tell whether the caller may have the report sent by e-mail and shown by a link."""
    who = page.signed_in
    return who is not None and unit.is_of(who) and who.role.covers(Role.EDITOR)


async def _made(page: PageRequest, unit: ReportUnit, query: ReportQuery) -> TrafficReport:
    source = page.dependencies.stats
    making = source.report(unit, query, page.signed_in, page.request)
    return await unless_gone(page.request, making)


def _query(page: PageRequest) -> ReportQuery:
    if page.shown is not None and page.shown.report is not None:
        return page.shown.report.query
    opens_with = page.default_period if page.default_period in REPORT_PERIODS else DEFAULT
    period = page.parameter("period") or opens_with
    dates = page.parameter("date")
    first, last = page.parameter("from"), page.parameter("to")
    if period == CUSTOM and not dates and (first or last):
        dates = f"{first},{last}"
    return ReportQuery(period, dates, page.parameter("opening", MEASURED))


def _address(page: PageRequest, unit: ReportUnit, query: ReportQuery) -> str:
    lang = urlencode({PARAMETER: page.t.lang.value})
    if page.shown is not None:
        return f"{page.shown.base}/report.xlsx?{lang}"
    return f"{home_of(unit)}/report.xlsx{_encoded(query)}&{lang}"


def _encoded(query: ReportQuery) -> str:
    fields = {"period": query.period, "date": query.dates, "opening": query.opening}
    return f"?{urlencode({name: value for name, value in fields.items() if value}, safe=',')}"


def _charted(made: TrafficReport, t: Language) -> ChartedRows:
    by_month = len(made.by_day) > _MOST_DAYS
    rows = made.by_month if by_month else made.by_day
    has_visits = bool(made.figures[1].value)
    named = [(_long(row.date, made, t, by_month), row) for row in rows]
    points = [
        Point(
            label,
            _tick(row.date, made, t, by_month),
            row.visits if has_visits else row.pageviews,
            None,
        )
        for label, row in named
    ]
    name = t(
        "chart",
        measure=t("measure.visits" if has_visits else "measure.pageviews"),
        interval=t("interval.month" if by_month else "interval.date"),
    )
    sizes = (WIDE, NARROW) if points else ()
    return ChartedRows(named, [chart(points, size, t, name) for size in sizes], name, by_month)


def _figures(made: TrafficReport, t: Language) -> list[tuple[str, ReportFigure, str, str]]:
    """Return the measures: name, figure, and its changes as text."""
    return [
        (
            t(f"measure.{one.measure}"),
            one,
            sheets.change_text(one.change, t),
            sheets.change_text(one.year_change, t),
        )
        for one in made.figures
    ]


def _lists(
    made: TrafficReport, t: Language
) -> list[tuple[str, ReportList, list[tuple[str, str, ReportPart]]]]:
    """Return each breakdown: panel, list, and its rows with the names of value and site."""
    names = sheets.site_names(made)
    return [
        (
            panel,
            listed,
            [
                (sheets.part_name(panel, row.name, t), names.get(row.site, row.site), row)
                for row in listed.rows
            ],
        )
        for panel, _, listed in sheets.lists(made)
    ]


def _long(first: date, made: TrafficReport, t: Language, by_month: bool) -> str:
    return sheets.month(first, made, t) if by_month else t.day(first)


def _tick(first: date, made: TrafficReport, t: Language, by_month: bool) -> str:
    return t.month_tick(sheets.named_by(first, made)) if by_month else t.tick(first)
