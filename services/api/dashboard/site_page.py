"""`/admin/sites/{slug}`: the traffic of a site."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any, NamedTuple

from starlette.responses import Response

from services.api.counter import queries
from services.api.dashboard import asking as asks
from services.api.dashboard import embedding
from services.api.dashboard.asking import CHARTED, PERIODS, Asking
from services.api.dashboard.chart import NARROW, WIDE, Point, bar, chart
from services.api.dashboard.language import Language
from services.api.dashboard.traffic import PANELS, Compared, Got, Line, Traffic, measure_of
from services.api.dashboard.visit import Visit
from services.api.stats.filters import Filter, Property
from services.api.stats.measures import Measure, change
from services.api.stats.reader import Row
from services.api.stats.spans import Interval
from services.http.errors import unavailable
from services.model.calendar import to_date
from services.store.interface import StoreError

LESS_IS_BETTER = frozenset({Measure.BOUNCE_RATE})


class Tile(NamedTuple):
    """One number above the chart."""

    measure: Measure
    value: str
    change: float | None
    unit: str
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


async def site(visit: Visit) -> Response:
    """Return the page, part by part as the numbers come."""
    asking = asks.read(visit)
    online = (await visit.parts.stats.online.now([asking.site.slug]))[asking.site.slug]
    told: dict[str, Any] = {
        "site": asking.site,
        "asking": asking,
        "periods": PERIODS,
        "chips": [(chip(of, visit.t), asking.without(of)) for of in asking.filters],
        "online": online.visitors if online.is_current else None,
        "label": asking.label(visit.t),
        "against": visit.t(
            "period.against.whole" if asking.is_under_way else "period.against",
            span=asks.label(asking.seen.previous(), visit.t),
        ),
        "first": to_date(asking.span.first).isoformat(),
        "last": to_date(asking.seen.last).isoformat(),
        "today": to_date(asking.today).isoformat(),
        "may_edit": visit.known is not None and visit.known.may_edit(asking.site),
        "may_see_snippet": visit.known is not None,
    }
    if not await _is_counted(visit, asking):
        snippet = await embedding.snippet(visit, asking.site)
        return visit.page("waiting.html", snippet=snippet.ways(), **told)
    return visit.pages(_parts(visit, asking, told))


async def _is_counted(visit: Visit, asking: Asking) -> bool:
    slug = asking.site.slug
    try:
        return slug in await queries.first_days(visit.parts.store, [slug])
    except StoreError as error:
        raise unavailable(f"the store cannot be read: {error}") from error


async def _parts(visit: Visit, asking: Asking, told: dict[str, Any]) -> AsyncIterator[str]:
    traffic = Traffic(visit.parts.stats.reader, asking)
    t = visit.t
    try:
        yield visit.part("site_top.html", **told)
        summary = await traffic.summary()
        yield visit.part("site_tiles.html", tiles=_tiles(asking, summary, t), got=summary)
        line = await traffic.line()
        points = [] if line.value is None else _points(asking, line.value, visit)
        name = t(
            "chart",
            measure=t(f"measure.{asking.measure}"),
            interval=t(f"interval.{asking.interval}"),
        )
        drawn = [chart(points, size, t, name) for size in (WIDE, NARROW)] if points else []
        yield visit.part(
            "site_chart.html", got=line, points=points, drawn=drawn, name=name, asking=asking
        )
        details = await traffic.details()
        yield visit.part("site_details.html", got=details, tiles=_details(details, t))
        for panel, by in PANELS.items():
            rows = await traffic.panels[panel]()
            yield visit.part(
                "site_panel.html",
                panel=panel,
                measure=measure_of(by),
                got=rows,
                rows=_bars(asking, by, rows, summary, t),
                csv=asking.csv(panel),
            )
        yield visit.part("site_end.html", **told)
    finally:
        await traffic.close()


def _tiles(asking: Asking, got: Got[Compared], t: Language) -> list[Tile]:
    if got.value is None:
        return []
    now, before = got.value
    tiles = []
    for measure in CHARTED:
        value, was = now.value(measure), None if before is None else before.value(measure)
        shown = t.number(value)
        changed = change(measure, value, was)
        link, current = asking.charted(measure), measure is asking.measure
        better = None if asking.is_under_way else (changed or 0) > 0
        tiles.append(Tile(measure, shown, changed, "%", better, link, current))
    return tiles


def _details(got: Got[Compared], t: Language) -> list[Tile]:
    if got.value is None:
        return []
    now, before = got.value
    tiles = []
    for measure, unit in (
        (Measure.BOUNCE_RATE, t("unit.points")),
        (Measure.VISIT_DURATION, "%"),
        (Measure.BOTS, "%"),
    ):
        value, was = now.value(measure), None if before is None else before.value(measure)
        if measure is Measure.BOUNCE_RATE:
            shown = f"{t.number(value)}%"
        else:
            shown = t.duration(value) if measure is Measure.VISIT_DURATION else t.number(value)
        changed = change(measure, value, was)
        better = (
            None
            if measure is Measure.BOTS
            else ((changed or 0) > 0) is (measure not in LESS_IS_BETTER)
        )
        tiles.append(Tile(measure, shown, changed, unit, better, None, is_current=False))
    return tiles


def _points(asking: Asking, line: Line, visit: Visit) -> list[Point]:
    t, interval = visit.t, asking.interval
    now = datetime.fromtimestamp(visit.parts.clock(), asks.zone_of(asking.site))
    latest = now.strftime("%Y-%m-%d %H:00:00" if interval is Interval.HOUR else "%Y-%m-%d")
    before = [row.counts.value(asking.measure) for row in line.before]
    points = []
    for place, row in enumerate(line.now):
        label, tick = _named(row, interval, t)
        value = int(row.counts.value(asking.measure) or 0) if row.name <= latest else None
        was = before[place] if place < len(before) else None
        points.append(Point(label, tick, value, None if was is None else int(was)))
    return points


def _named(row: Row, interval: Interval, t: Language) -> tuple[str, str]:
    """Return what a point is called, in full and on the axis."""
    if interval is Interval.HOUR:
        hour = row.name[11:16]
        return hour, hour
    day = date.fromisoformat(row.name)
    match interval:
        case Interval.MONTH:
            return t.month(day), t.month_tick(day)
        case Interval.WEEK:
            return t("week.of", day=t.date_of(day)), t.tick(day)
    return t.day(day), t.tick(day)


def _bars(
    asking: Asking, by: Property, got: Got[list[Row]], summary: Got[Compared], t: Language
) -> list[Bar]:
    rows = got.value or []
    measure = measure_of(by)
    counts = [int(row.counts.value(measure) or 0) for row in rows]
    most = max(counts, default=1)
    whole = 0 if summary.value is None else int(summary.value.now.value(measure) or 0)
    total = max(whole, sum(counts), 1)
    return [
        Bar(
            value_name(by, row.name, t),
            t.number(count),
            f"{round(100 * count / total)}%",
            bar(count / most),
            asking.path(filters=_with(asking.filters, Filter(by, ((row.name,),)))),
        )
        for row, count in zip(rows, counts, strict=True)
    ]


def _with(filters: tuple[Filter, ...], added: Filter) -> tuple[Filter, ...]:
    """Return filters with another one, which takes the place of those by the same property."""
    return (*(of for of in filters if of.by is not added.by), added)


def value_name(by: Property, value: str, t: Language) -> str:
    """Return a value of a property in words."""
    if by is Property.DEVICE:
        return t.known(f"device.{value}", value)
    return t.known(f"value.{value}", value)


def chip(of: Filter, t: Language) -> str:
    """Return a filter in words."""
    values = " | ".join(value_name(of.by, "*".join(pattern), t) for pattern in of.patterns)
    key = "filters.not" if of.negated else "filters.is"
    return t(key, by=t(f"by.{of.by.field}"), value=values)
