"""The one call by which the dashboard has the traffic of a site, and the links of its page."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from services.api.dashboard.requests.query_parameters import Links
from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import Counts, Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.grammar.site_query import SiteQuery, scope_of
from services.api.stats.panels.means import means_of
from services.api.stats.panels.site_panels import PanelSource, SitePanels
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Interval, Span
from services.api.stats.readers.results import Row, StatsResult
from services.http.errors import ApiError
from services.model.site import Site

SITE = Site(slug="mytho", timezone="Asia/Ho_Chi_Minh")
TODAY = 19_725
"""2024-01-03, of which it is 12:00 there."""
NOON = TODAY * 86_400 + 5 * 3_600


class FakeReader:
    """Answers with six views of three visits now, and four of two before."""

    def __init__(self, refused: Property | None = None) -> None:
        self.refused = refused
        self.is_slow = False
        self.cancelled = 0

    async def snapshot(self, site: Site, span: Span, *, with_opening: bool) -> Snapshot:
        assert with_opening
        assert (site, span.last) == (SITE, TODAY)
        counted = dict.fromkeys(range(TODAY - 100, TODAY + 1), (1, 1))
        return Snapshot(site.kept_as, span, counted, 0, {})

    async def first_day(self, site: Site) -> int:
        return TODAY - 100

    def parts(self, site: Site) -> list[Site]:
        return [site]

    async def total(self, question: StatsQuery, *, partly: bool) -> StatsResult:
        assert partly
        if self.is_slow:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        counts = Counts(pageviews=6, visits=3, visitors=2, measured=3, bounces=1)
        before = Counts(pageviews=4, visits=2, visitors=2, measured=2, bounces=2)
        return StatsResult([Row("", counts if question.span.last == TODAY else before)], [])

    async def timeseries(self, question: StatsQuery, interval: Interval) -> StatsResult:
        hours = range(24)
        assert interval is Interval.HOUR
        return StatsResult(
            [Row(f"2024-01-03 {hour:02}:00:00", Counts(pageviews=1)) for hour in hours], []
        )

    async def breakdown(self, question: StatsQuery, part: BreakdownQuery) -> StatsResult:
        if part.by is self.refused:
            raise ApiError(422, {"query": "too large"})
        return StatsResult(
            [Row("a", Counts(pageviews=4, visits=2)), Row("b", Counts())], ["some are gone"]
        )


class FakeReaders:
    """Has one reader for all."""

    def __init__(self, reader: FakeReader) -> None:
        self._reader = reader

    def of(self, who: object, request: object) -> FakeReader:
        return self._reader


async def panels(reader: FakeReader, query: SiteQuery) -> SitePanels:
    nothing: Any = None
    source: Any = reader
    readers: Any = FakeReaders(source)
    of = PanelSource(nothing, readers, nothing, lambda: NOON)
    return await of.panels(SITE, query, None, nothing)


async def test_each_panel_has_its_numbers_and_the_period_before() -> None:
    async with (await panels(FakeReader(), SiteQuery(period="day"))).reading() as today:
        summary = await today.summary()
        details = await today.details()
        series = await today.series()
        devices = await today.breakdown("device")
    assert summary.value == [("pageviews", 6, 50), ("visits", 3, 50), ("visitors", 2, 0)]
    assert details.value == [("bounce_rate", 33, -67), ("visit_duration", 0, 0), ("bots", 0, 0)]
    assert series.value is not None
    assert series.value[12] == ("2024-01-03 12:00:00", 1, 1)
    assert series.value[13] == ("2024-01-03 13:00:00", None, 1), "it has not come yet"
    assert devices.value == [("a", 2, 1.0, 67, "visit:device==a")]
    assert devices.partial


async def test_a_panel_may_be_refused_alone() -> None:
    of_site = await panels(FakeReader(refused=Property.OS), SiteQuery(period="day"))
    async with of_site.reading() as today:
        refused = [name for name in of_site.breakdowns if (await today.breakdown(name)).refusal]
        assert (await today.breakdown("os")).refusal == "too large"
        assert (await today.summary()).value is not None
    assert refused == ["os"]


async def test_provinces_are_a_panel_of_one_country() -> None:
    for filters, is_shown in {
        "": False,
        "visit:country==VN": True,
        "visit:country==VN;event:page==/a": True,
        "visit:region==VN-HN": True,
        "visit:country==VN|LA": False,
        "visit:country!=VN": False,
        "visit:country==V*": False,
        "visit:country==(not set)": False,
        "event:page==/a": False,
    }.items():
        shown = (await panels(FakeReader(), SiteQuery(filters=filters))).breakdowns
        assert ("region" in shown) is is_shown, filters
        assert list(shown)[-3:] == ["device", "browser", "os"]


async def test_what_nobody_waits_for_any_more_is_not_read_on() -> None:
    reader = FakeReader()
    reader.is_slow = True
    async with (await panels(reader, SiteQuery(period="day"))).reading():
        for _ in range(10):
            await asyncio.sleep(0)
    assert reader.cancelled == 4, "the period and the one before, for summary and details"


async def test_all_time_is_since_the_first_day_counted_and_compared_with_nothing() -> None:
    whole = await panels(FakeReader(), SiteQuery(period="all"))
    assert whole.scope.span == Span(TODAY - 100, TODAY)
    assert whole.scope.before is None
    chosen = await panels(FakeReader(), SiteQuery(period="all", compare="2023-10-01,2023-10-31"))
    assert str(chosen.scope.before) == "2023-10-01 to 2023-10-31"


async def test_a_query_that_cannot_be_read_names_its_parameter() -> None:
    for query, field in {
        SiteQuery(period="fortnight"): "period",
        SiteQuery(period="custom", dates="2024-02-01,2024-01-01"): "date",
        SiteQuery(measure="height"): "measure",
        SiteQuery(filters="event:page"): "filters",
    }.items():
        with pytest.raises(ApiError) as refused:
            await panels(FakeReader(), query)
        assert list(refused.value.errors) == [field]


def test_points_of_the_chart_get_longer_with_the_period() -> None:
    for query, interval in {
        SiteQuery(period="yesterday"): Interval.HOUR,
        SiteQuery(): Interval.DATE,
        SiteQuery(period="custom", dates="2023-06-01,2023-12-31"): Interval.WEEK,
        SiteQuery(period="custom", dates="2022-06-01,2023-12-31"): Interval.MONTH,
        SiteQuery(period="12mo"): Interval.MONTH,
    }.items():
        assert scope_of(query, TODAY).interval is interval


def test_a_month_is_read_up_to_today_and_yesterday_whole() -> None:
    month, yesterday = (scope_of(SiteQuery(period=name), TODAY) for name in ("month", "yesterday"))
    assert month.elapsed == Span(TODAY - 2, TODAY)
    assert yesterday.elapsed == Span(TODAY - 1, TODAY - 1)


def test_a_site_that_is_counted_since_today_has_no_mean_of_days_that_are_over() -> None:
    month = scope_of(SiteQuery(period="month"), TODAY)
    today, both = Counts(pageviews=6), Counts(pageviews=10)
    assert means_of(month, 1, Measure.PAGEVIEWS, today, today).per_day is None
    assert means_of(month, 2, Measure.PAGEVIEWS, both, today).per_day == 4


def test_links_change_one_parameter_and_keep_the_others() -> None:
    query = SiteQuery("day", "2024-01-02", "visits", "visit:device == mobile; event:page!=/a*")
    scope = scope_of(query, TODAY)
    links = Links("mytho", scope)
    others = "&measure=visits&filters=visit:device==mobile%3Bevent:page%21=/a%2A"
    assert links.path() == f"/admin/sites/mytho?period=day&date=2024-01-02{others}"
    assert links.earlier == f"/admin/sites/mytho?period=day&date=2024-01-01{others}"
    assert links.later == f"/admin/sites/mytho?period=day&date=2024-01-03{others}"
    assert links.period("30d") == f"/admin/sites/mytho?{others[1:]}"
    assert links.csv("os").startswith("/admin/sites/mytho/csv/os?period=day")
    device, page = scope.applied
    assert (device.field, device.values, device.negated) == ("device", ["mobile"], False)
    assert (page.field, page.values, page.negated) == ("page", ["/a*"], True)
    assert device.others == "event:page!=/a*"
    assert Links("mytho", scope_of(SiteQuery(), TODAY)).earlier is None


@pytest.mark.parametrize(
    ("period", "dates", "earlier", "later"),
    [
        ("quarter", "2023-08-01", "2023-06-30", "2023-10-01"),
        ("quarter", "", "2023-12-31", None),
        ("report_month", "2023-12-14", "2023-11-14", "2023-12-15"),
        ("nine_months", "2022-03-01", "2021-12-31", "2023-01-01"),
        ("report_nine_months", "2022-03-01", "2021-12-14", "2022-12-15"),
        ("year", "2023-03-01", "2022-12-31", "2024-01-01"),
        ("12mo", "", None, None),
        ("custom", "2023-01-01,2023-01-31", None, None),
    ],
)
def test_periods_of_months_are_stepped_through(
    period: str, dates: str, earlier: str | None, later: str | None
) -> None:
    links = Links("mytho", scope_of(SiteQuery(period, dates), TODAY))
    for found, day in ((links.earlier, earlier), (links.later, later)):
        at = f"/admin/sites/mytho?period={period}&date={day}"
        assert found == (None if day is None else at)
    assert links.last("month") == "/admin/sites/mytho?period=month&date=2023-12-31"


def test_the_dashboard_knows_only_the_panels_and_plain_types_of_the_stats() -> None:
    room = Path(__file__).parents[2] / "services/api/dashboard"
    code = "".join(one.read_text("utf-8") for one in room.rglob("*.py"))
    known = set(re.findall(r"services\.api\.stats\.((?:many|reports|rows)\b|[\w.]+)", code))
    assert known == {
        "grammar.site_query",
        "many",
        "panels.contents",
        "panels.site_panels",
        "periods.spans",
        "reports",
        "rows",
    }
    assert "api.stats import" not in code


def test_counts_add_up_in_every_field() -> None:
    names = Counts.__struct_fields__
    counts = Counts(**{name: number for number, name in enumerate(names, 1)})
    counts.add(Counts(**{name: 10**number for number, name in enumerate(names, 1)}))
    assert counts == Counts(**{name: n + 10**n for n, name in enumerate(names, 1)})
