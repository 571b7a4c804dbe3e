"""The parts of the page of a site, each rendered as soon as its numbers are read."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

from services.api.dashboard.management import annotations_page
from services.api.dashboard.requests.page_request import PageRequest
from services.api.dashboard.requests.query_parameters import Links
from services.api.dashboard.texts.days import gap_notes, span_label
from services.api.dashboard.texts.kept import kept_text
from services.api.dashboard.texts.language import Language
from services.api.dashboard.traffic.bars import Bar, bars, bars_apart
from services.api.dashboard.traffic.chart import NARROW, WIDE, Point, chart
from services.api.dashboard.traffic.heat_table import heat_rows
from services.api.dashboard.traffic.shown_names import titles_of
from services.api.dashboard.traffic.tiles import Tile, detail_of, tiles_of
from services.api.stats.grammar.site_query import MEASURED, OPENINGS, Scope
from services.api.stats.panels.contents import (
    BreakdownRow,
    EnteredNumbers,
    Figure,
    PanelResult,
    SeriesPoint,
)
from services.api.stats.panels.site_panels import SitePanels
from services.api.stats.periods.spans import Interval


class SiteParts:
    """Renders a page part by part."""

    def __init__(
        self, page: PageRequest, panels: SitePanels, links: Links, context: dict[str, Any]
    ) -> None:
        """`context` is for the first and the last part, and holds what others share with them."""
        self._page = page
        self._panels = panels
        self._links = links
        self._context = context
        self._scope = panels.scope

    async def stream(self) -> AsyncIterator[str]:
        """Read all panels at once, and yield the parts in the order of the page."""
        async with self._panels.reading() as reading:
            yield self._page.part("site_top.html", **self._context)
            summary = await reading.summary()
            tiles = tiles_of(
                self._scope,
                summary.value or [],
                await reading.means(),
                self._links,
                self._page.t,
            )
            gaps = gap_notes(await reading.uncounted(), self._page.t)
            yield self._tiles(summary, tiles, gaps, await reading.entered())
            series = await reading.series()
            yield await self._chart(series)
            details = await reading.details()
            lacks = details.gone or details.partial or series.gone or summary.partial
            kept = kept_text(await reading.kept(), self._page.t) if lacks else ""
            yield self._details(details, kept)
            for panel, measure in self._panels.breakdowns.items():
                breakdown = await reading.breakdown(panel)
                if not breakdown.gone:
                    yield await self._breakdown(panel, measure, breakdown, kept)
            for panel, of_kind in (await reading.apart()).items():
                rows = bars_apart(panel, of_kind.value or [], self._links, self._page.t)
                yield self._panel(panel, self._panels.named[panel], panel, of_kind, rows, "")
            week = await reading.heat()
            if not week.gone:
                yield self._heat(week, kept)
            yield self._page.part("site_end.html", **self._context)

    def _tiles(
        self,
        summary: PanelResult[list[Figure]],
        tiles: list[Tile],
        gaps: list[str],
        entered: EnteredNumbers,
    ) -> str:
        return self._page.part(
            "site_tiles.html",
            tiles=tiles,
            result=summary,
            gaps=gaps,
            entered=_entered(self._scope, entered, self._page.t),
            opening=self._scope.opening,
            switches=[(one.value, self._links.path(opening=one)) for one in OPENINGS],
        )

    async def _chart(self, series: PanelResult[list[SeriesPoint]]) -> str:
        page, scope, t = self._page, self._scope, self._page.t
        points = [_point(point, scope.interval, t) for point in series.value or []]
        annotations = await annotations_page.of_chart(page, scope)
        points = annotations_page.noted(points, series.value or [], annotations, scope)
        name = t(
            "chart", measure=t(f"measure.{scope.measure}"), interval=t(f"interval.{scope.interval}")
        )
        earlier = t("chart.before", span=span_label(scope.before, t)) if scope.before else ""
        sizes = (WIDE, NARROW) if points else ()
        return page.part(
            "site_chart.html",
            result=series,
            points=points,
            charts=[chart(points, size, t, name, earlier) for size in sizes],
            name=name,
            earlier=earlier,
            measure=scope.measure,
            csv=self._links.csv("timeseries"),
            annotations=[annotations_page.row(page, one) for one in annotations],
        )

    def _details(self, details: PanelResult[list[Figure]], kept: str) -> str:
        return self._page.part(
            "site_details.html",
            result=details,
            kept=kept,
            tiles=[detail_of(one, self._page.t) for one in details.value or []],
        )

    async def _breakdown(
        self, panel: str, measure: str, breakdown: PanelResult[list[BreakdownRow]], kept: str
    ) -> str:
        rows = breakdown.value or []
        titles = await titles_of(self._page, panel, (row.name for row in rows))
        shown = bars(panel, rows, titles, self._links, self._page.t)
        return self._panel(panel, panel, measure, breakdown, shown, kept)

    def _panel(
        self,
        panel: str,
        named: str,
        measure: str,
        result: PanelResult[list[BreakdownRow]],
        rows: list[Bar],
        kept: str,
    ) -> str:
        return self._page.part(
            "site_panel.html",
            panel=panel,
            named=named,
            measure=measure,
            result=result,
            kept=kept,
            rows=rows,
            csv=self._links.below(f"/all/{panel}/csv"),
            may_edit=self._context["may_edit"],
            every=self._links.below(f"/all/{panel}"),
        )

    def _heat(self, week: PanelResult[list[list[int]]], kept: str) -> str:
        return self._page.part(
            "site_heat.html",
            result=week,
            rows=heat_rows(week.value or [], self._page.t),
            csv=self._links.csv("heat"),
            zone=self._context["zone"],
            kept=kept,
        )


def _entered(scope: Scope, entered: EnteredNumbers, t: Language) -> str:
    """Return the note on opening balances; '' if there are none, or none can be shown."""
    if scope.filters or scope.span.days == 1:
        return "" if scope.opening is MEASURED else t("opening.apart")
    if not any(entered) and scope.opening is MEASURED:
        return ""
    counts = (("balances.visits", entered.visits), ("balances.views", entered.views))
    named = [t(key, number=t.number(count)) for key, count in counts if count]
    if not named:
        return t("opening.compared" if entered.is_compared else "opening.nothing")
    return t(f"opening.{scope.opening}", numbers=", ".join(named))


def _point(point: SeriesPoint, interval: Interval, t: Language) -> Point:
    label, tick = _named(point.at, interval, t)
    return Point(label, tick, point.now, point.before)


def _named(at: str, interval: Interval, t: Language) -> tuple[str, str]:
    """Return the label of a point, in full and for the axis."""
    if interval is Interval.HOUR:
        hour = at[11:16]
        return hour, hour
    day = date.fromisoformat(at)
    match interval:
        case Interval.MONTH if day.day == 1:
            return t.month(day), t.month_tick(day)
        case Interval.WEEK:
            return t("week.of", day=t.date_of(day)), t.tick(day)
    return t.day(day), t.tick(day)
