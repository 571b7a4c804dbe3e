"""`/admin/sites/{slug}`: the traffic of a site."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from services.api.dashboard import embedding, query_parameters
from services.api.dashboard.chart import NARROW, WIDE, Point, bar, chart
from services.api.dashboard.language import Language
from services.api.dashboard.page_request import PageRequest
from services.api.dashboard.query_parameters import Links
from services.api.stats.panel_results import BreakdownRow, Figure, SeriesPoint
from services.api.stats.panels import SitePanels
from services.api.stats.site_query import PERIODS, AppliedFilter, Scope
from services.api.stats.spans import Interval, Period, Span
from services.model.calendar import to_date
from services.state.errors import StateError

_INGEST_SECONDS = 4.0


class Tile(NamedTuple):
    """One number above the chart."""

    measure: str
    value: str
    change: float | None
    change_text: str
    is_better: bool | None
    link: str | None
    is_current: bool


class Bar(NamedTuple):
    """One row of a panel."""

    name: str
    value: str
    share: str
    bar: str
    link: str


async def site(page: PageRequest) -> Response:
    """Return the page, part by part as the numbers come."""
    query = query_parameters.read(page)
    panels = page.dependencies.stats.panels(page.site, query, page.signed_in, page.request)
    scope, t = panels.scope, page.t
    links = Links(panels.site.slug, scope)
    context: dict[str, Any] = {
        "site": panels.site,
        "zone": panels.site.zone_at(int(page.dependencies.clock() * 1000)),
        "query": scope.query,
        "links": links,
        "periods": PERIODS,
        "chips": [(chip(one, t), links.path(filters=one.others)) for one in scope.applied],
        "online": await panels.online(),
        "label": _period_label(scope, t),
        "against": t(
            "period.against.whole" if scope.is_under_way else "period.against",
            span=_span_label(scope.elapsed.previous(), t),
        ),
        "first": to_date(scope.span.first).isoformat(),
        "last": to_date(scope.elapsed.last).isoformat(),
        "today": to_date(scope.today).isoformat(),
        "found_here": _same_views(scope),
        "may_edit": page.signed_in is not None and page.signed_in.may_edit(panels.site),
        "may_see_snippet": page.signed_in is not None,
        "untrusted": 0 if page.signed_in is None else await _untrusted(page),
    }
    if not await panels.is_counted():
        snippet = await embedding.snippet(page, panels.site)
        ingest = await _ingest(page) if page.signed_in else ""
        return page.render("waiting.html", snippet=snippet.ways(), ingest=ingest, **context)
    return page.stream(_parts(page, panels, links, context))


def _same_views(scope: Scope) -> str:
    """Return the parameters that find the views of this page among those to correct."""
    parameters = {
        "from": f"{to_date(scope.span.first).isoformat()}T00:00",
        "to": f"{to_date(scope.elapsed.last + 1).isoformat()}T00:00",
        "filters": scope.query.filters,
    }
    return f"?{urlencode(parameters, safe=':,/=')}" if scope.filters else ""


async def _ingest(page: PageRequest) -> str:
    """Return whether ingest counts the sites as they are; one that was just added is waited for."""
    try:
        readers = await page.dependencies.registry.ingest_status(_INGEST_SECONDS)
    except StateError:
        return page.t("wait.ingest.unknown")
    if not readers.running:
        return page.t("wait.ingest.none")
    late = readers.running - readers.current
    return page.t("wait.ingest.late", late=late) if late else page.t("wait.ingest.counts")


async def _untrusted(page: PageRequest) -> int:
    """Return how many hits lately came through proxies that ingest does not trust."""
    at_ms = int(page.dependencies.clock() * 1000)
    try:
        return await page.dependencies.untrusted.read_site(page.site.slug, at_ms)
    except StateError:
        return 0


async def _parts(
    page: PageRequest, panels: SitePanels, links: Links, context: dict[str, Any]
) -> AsyncIterator[str]:
    t, scope = page.t, panels.scope
    async with panels.reading() as reading:
        yield page.part("site_top.html", **context)
        summary = await reading.summary()
        tiles = _tiles(scope, summary.value or [], links, t)
        yield page.part("site_tiles.html", tiles=tiles, result=summary)
        series = await reading.series()
        points = [_point(point, scope.interval, t) for point in series.value or []]
        name = t(
            "chart", measure=t(f"measure.{scope.measure}"), interval=t(f"interval.{scope.interval}")
        )
        yield page.part(
            "site_chart.html",
            result=series,
            points=points,
            charts=[chart(points, size, t, name) for size in (WIDE, NARROW)] if points else [],
            name=name,
            measure=scope.measure,
            csv=links.csv("timeseries"),
        )
        details = await reading.details()
        yield page.part(
            "site_details.html",
            result=details,
            tiles=[_detail(one, t) for one in details.value or []],
        )
        for panel, measure in panels.breakdowns.items():
            breakdown = await reading.breakdown(panel)
            yield page.part(
                "site_panel.html",
                panel=panel,
                measure=measure,
                result=breakdown,
                rows=_bars(panel, breakdown.value or [], links, t),
                csv=links.csv(panel),
            )
        yield page.part("site_end.html", **context)


def _period_label(scope: Scope, t: Language) -> str:
    if scope.query.period == Period.MONTH:
        return t.month(to_date(scope.span.first))
    return _span_label(scope.span, t)


def _span_label(span: Span, t: Language) -> str:
    first, last = to_date(span.first), to_date(span.last)
    return t.day(first) if first == last else f"{t.date_of(first)} – {t.date_of(last)}"


def _tiles(scope: Scope, figures: Sequence[Figure], links: Links, t: Language) -> list[Tile]:
    return [
        Tile(
            measure,
            t.number(value),
            change,
            "" if change is None else t.percent(abs(change)),
            None if scope.is_under_way else (change or 0) > 0,
            links.path(measure=measure),
            measure == scope.measure,
        )
        for measure, value, change in figures
    ]


def _detail(figure: Figure, t: Language) -> Tile:
    measure, value, change = figure
    change_text = "" if change is None else t.percent(abs(change))
    better: bool | None = (change or 0) > 0
    match measure:
        case "bounce_rate":
            shown = t.percent(value or 0)
            better = not better
            if change is not None:
                change_text = t("unit.points", count=abs(change))
        case "visit_duration":
            shown = t.duration(value)
        case _:
            shown, better = t.number(value), None
    return Tile(measure, shown, change, change_text, better, None, is_current=False)


def _point(point: SeriesPoint, interval: Interval, t: Language) -> Point:
    label, tick = _named(point.at, interval, t)
    return Point(label, tick, point.now, point.before)


def _named(at: str, interval: Interval, t: Language) -> tuple[str, str]:
    """Return what a point is called, in full and on the axis."""
    if interval is Interval.HOUR:
        hour = at[11:16]
        return hour, hour
    day = date.fromisoformat(at)
    match interval:
        case Interval.MONTH:
            return t.month(day), t.month_tick(day)
        case Interval.WEEK:
            return t("week.of", day=t.date_of(day)), t.tick(day)
    return t.day(day), t.tick(day)


def _bars(panel: str, rows: Sequence[BreakdownRow], links: Links, t: Language) -> list[Bar]:
    return [
        Bar(
            value_name(panel, row.name, t),
            t.number(row.counted),
            t.percent(row.percent),
            bar(row.of_most),
            links.path(filters=row.filters),
        )
        for row in rows
    ]


def value_name(field: str, value: str, t: Language) -> str:
    """Return a value of a property in words."""
    return t.known(f"{'device' if field == 'device' else 'value'}.{value}", value)


def chip(applied: AppliedFilter, t: Language) -> str:
    """Return a filter in words."""
    values = " | ".join(value_name(applied.field, value, t) for value in applied.values)
    key = "filters.not" if applied.negated else "filters.is"
    return t(key, by=t(f"by.{applied.field}"), value=values)
