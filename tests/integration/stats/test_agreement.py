"""Aggregate, timeseries, breakdown and the public counter agree, on three years of fifty sites.

Each is compared with a computation in plain Python that knows none of Luot's code.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from services.aggregator.flush import COLUMNS as COLUMNS_OF_HITS
from services.api.stats.grammar.filters import Property, parse
from services.api.stats.grammar.measures import LENGTHS, Measure
from services.api.stats.grammar.names import written
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.grammar.site_query import CHARTED, SiteQuery
from services.api.stats.grammar.traffic_sources import Channel, traffic_sources
from services.api.stats.many.many_sites import read_many
from services.api.stats.periods.spans import Interval, Span
from services.api.stats.readers.reader import StatsReader
from services.log.redis import entry_ids
from services.model.calendar import day_start_ms, to_date, to_day, week_start
from services.model.hit import Hit
from services.model.site import Site
from services.store.counts import hits as raw_hits
from services.store.interface import Store
from tests.integration.api.world import Clock
from tests.integration.stats import history
from tests.integration.stats.expected import ALL, Seen, grouped, measures, visits, wall_hour

COUNTED = ("visitors", "visits", "pageviews", "bots")
BUSY = history.BUSY
QUIET = [site.slug for site in history.SITES if site.slug not in BUSY][::4]
"""Some of the others."""
ZONES = {site.slug: site.timezone for site in history.SITES}


@cache
def named(source: str) -> str:
    """Return what a source is called; the list is long, and the hits have few sources."""
    return traffic_sources().called(source)


@cache
def channel_of(source: str, medium: str) -> Channel:
    return traffic_sources().channel_of(source, medium)


PERIODS = {
    "day": {"period": "day", "date": "2024-03-10"},
    "7d": {"period": "7d"},
    "28d": {"period": "28d", "date": "2023-02-28"},
    "30d": {"period": "30d"},
    "91d": {"period": "91d"},
    "month": {"period": "month", "date": "2024-02-10"},
    "6mo": {"period": "6mo"},
    "12mo": {"period": "12mo", "date": "2023-12-31"},
    "year": {"period": "year", "date": "2022-06-01"},
    "custom": {"period": "custom", "date": "2022-01-01,2024-12-31"},
}
DAYS = {
    "day": ("2024-03-10", "2024-03-10"),
    "7d": ("2024-12-25", "2024-12-31"),
    "28d": ("2023-02-01", "2023-02-28"),
    "30d": ("2024-12-02", "2024-12-31"),
    "91d": ("2024-10-02", "2024-12-31"),
    "month": ("2024-02-01", "2024-02-29"),
    "6mo": ("2024-07-01", "2024-12-31"),
    "12mo": ("2023-01-01", "2023-12-31"),
    "year": ("2022-01-01", "2022-12-31"),
    "custom": ("2022-01-01", "2024-12-31"),
}
FILTERS: dict[str, Callable[[Hit], bool]] = {
    "": lambda _: True,
    "event:page==/l/*": lambda hit: hit.path.startswith("/l/"),
    "event:page==/a\\\\b|/tin-tuc/100%_*": lambda hit: (
        hit.path == "/a\\b" or hit.path.startswith("/tin-tuc/100%_")
    ),
    "visit:country==VN;visit:region==VN-HN|(not set)": lambda hit: (
        hit.country == "VN" and hit.region in ("VN-HN", "")
    ),
    "visit:country!=VN|US;visit:source==Direct / None": lambda hit: (
        hit.country not in ("VN", "US") and not hit.source
    ),
    "visit:source==Goo*|Facebook;visit:channel!=Camp*": lambda hit: (
        named(hit.source) in ("Google", "Facebook")
        and channel_of(hit.source, hit.utm_medium) is not Channel.CAMPAIGNS
    ),
    "visit:channel==Referral|Organic Search;visit:referrer!=google.com": lambda hit: (
        channel_of(hit.source, hit.utm_medium) in (Channel.REFERRAL, Channel.SEARCH)
        and hit.source != "google.com"
    ),
    "event:hostname!=www.*;visit:browser==Cốc Cốc|(not set)": lambda hit: (
        not hit.host.startswith("www.") and hit.browser in ("Cốc Cốc", "")
    ),
}
COLUMNS = {
    Property.PAGE: "path",
    Property.HOSTNAME: "host",
    Property.SOURCE: "source",
    Property.CHANNEL: "source",
    Property.REFERRER: "source",
    Property.UTM_MEDIUM: "utm_medium",
    Property.UTM_CAMPAIGN: "utm_campaign",
    Property.UTM_CONTENT: "utm_content",
    Property.UTM_TERM: "utm_term",
    Property.UTM_SOURCE: "utm_source",
    Property.COUNTRY: "country",
    Property.REGION: "region",
    Property.DEVICE: "device",
    Property.BROWSER: "browser",
    Property.OS: "os",
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


def called(by: Property, hit: Hit) -> str:
    match by:
        case Property.SOURCE:
            return named(hit.source)
        case Property.CHANNEL:
            return channel_of(hit.source, hit.utm_medium)
    value: str = getattr(hit, COLUMNS[by])
    return value


World = dict[str, list[Seen]]


async def ask(client: httpx.AsyncClient, what: str, site: str, **query: str) -> Any:
    answer = await client.get(f"/api/v1/stats/{what}", params={"site_id": site, **query})
    assert answer.status_code == 200, answer.text
    assert "warnings" not in answer.json(), answer.text
    return answer.json()["results"]


def assert_visitors_visits_views(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        assert row["visitors"] <= row["visits"] <= row["pageviews"], row


def within(seen: list[Seen], period: str, fits: Callable[[Hit], bool]) -> list[Seen]:
    first, last = (to_day(date.fromisoformat(text)) for text in DAYS[period])
    return [each for each in seen if first <= each.hit.day <= last and fits(each.hit)]


def values(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {measure: value["value"] for measure, value in results.items()}


def without_ratio(of_page: bool) -> str:
    """A ratio of views and visits says nothing of single pages, and is refused."""
    return ALL.replace("views_per_visit,", "") if of_page else ALL


@pytest.mark.parametrize(
    ("period", "filters"),
    [
        *((period, "") for period in PERIODS),
        *(("custom", filters) for filters in FILTERS if filters),
    ],
)
async def test_every_metric_of_a_period_is_as_computed_and_its_days_add_up(
    client: httpx.AsyncClient, seen: World, period: str, filters: str
) -> None:
    metrics = without_ratio("event:page" in filters)
    query = {**PERIODS[period], "metrics": metrics, "filters": filters}
    for site in (*BUSY, "howe"):
        wanted = within(seen[site], period, FILTERS[filters])
        of_pages = "event:page" in filters
        expected = measures(wanted, of_pages=of_pages)
        total = values(await ask(client, "aggregate", site, **query))
        assert total == {name: expected[name] for name in metrics.split(",")}
        days = await ask(client, "timeseries", site, interval="date", **query)
        by_day = grouped(wanted, lambda hit: to_date(hit.day).isoformat(), of_pages=of_pages)
        nothing = measures([])
        for row in days:
            of_day = by_day.get(row["date"], nothing)
            assert row == {"date": row["date"], **{name: of_day[name] for name in total}}
        assert [row["date"] for row in (days[0], days[-1])] == list(DAYS[period])
        for name in COUNTED:
            assert sum(row[name] for row in days) == total[name]
        assert_visitors_visits_views([total, *days])


def pairs(by: Property, *, embedded: bool) -> Iterator[tuple[str, str]]:
    """Return what a kind of store is asked for: filters with a site each.

    Either kind has every property about either site, and every filter about either site; every
    property has every filter on one of the two.
    """
    place = list(COLUMNS).index(by)
    for number, filters in enumerate(list(FILTERS)[:4]):
        if (place + number) % 2 == embedded:
            yield filters, BUSY[(place // 2 + number // 2) % 2]


@pytest.mark.parametrize("by", COLUMNS)
async def test_a_breakdown_is_as_computed_and_adds_up_to_the_aggregate(
    client: httpx.AsyncClient, seen: World, store_url: str, by: Property
) -> None:
    for filters, site in pairs(by, embedded=store_url.startswith("chdb")):
        of_pages = by is Property.PAGE or "event:page" in filters
        metrics = without_ratio(of_pages)
        query = {**PERIODS["custom"], "metrics": metrics, "filters": filters}
        rows = await ask(client, "breakdown", site, property=by, limit="1000", **query)
        wanted = within(seen[site], "custom", FILTERS[filters])
        expected = grouped(
            wanted, lambda hit: written(by, by.shown(called(by, hit))), of_pages=of_pages
        )
        assert {row.pop(by.field): row for row in rows} == {
            name: {metric: of_name[metric] for metric in metrics.split(",")}
            for name, of_name in expected.items()
        }
        assert [row["visitors"] for row in rows] == sorted(
            (row["visitors"] for row in rows), reverse=True
        )
        total = values(await ask(client, "aggregate", site, **query))
        assert_visitors_visits_views(rows)
        for name in ("visits", "pageviews", "bots"):
            if name != "visits" or not of_pages:
                assert sum(row[name] for row in rows) == total[name]


@pytest.mark.parametrize("interval", ["week", "month"])
async def test_weeks_and_months_are_the_sites_own(
    client: httpx.AsyncClient, seen: World, interval: str
) -> None:
    def label(hit: Hit) -> str:
        day = to_date(hit.day)
        if interval == "month":
            return day.replace(day=1).isoformat()
        return to_date(max(week_start(hit.day), history.FIRST)).isoformat()

    for site in BUSY:
        rows = await ask(
            client, "timeseries", site, **PERIODS["custom"], metrics=ALL, interval=interval
        )
        expected = grouped(seen[site], label)
        assert {row.pop("date"): row for row in rows} == expected


@pytest.mark.parametrize(
    ("site", "day", "hours"),
    [
        ("newyork", "2024-03-10", 23),
        ("newyork", "2024-11-03", 25),
        ("newyork", "2024-07-04", 24),
        ("portal-1", "2024-03-10", 24),
        ("howe", "2024-04-07", 24),
        ("howe", "2024-10-06", 24),
    ],
)
async def test_a_day_has_the_hours_that_its_clocks_show(
    client: httpx.AsyncClient, seen: World, site: str, day: str, hours: int
) -> None:
    rows = await ask(client, "timeseries", site, period="day", date=day, metrics=ALL)
    of_day = [each for each in seen[site] if to_date(each.hit.day).isoformat() == day]
    expected = grouped(of_day, lambda hit: wall_hour(hit, ZONES[site]))
    assert_visitors_visits_views(rows)
    # Where clocks are set back by an hour, one of them is there twice.
    assert len(rows) == hours + (site == "howe" and day == "2024-04-07")
    for metric in ("pageviews", "visits", "bots"):
        found: dict[str, int] = {}
        for row in rows:
            found[row["date"]] = found.get(row["date"], 0) + row[metric]
        assert {name: count for name, count in found.items() if count} == {
            name: of[metric] for name, of in expected.items() if of[metric]
        }


async def test_hours_add_up_to_their_days(client: httpx.AsyncClient) -> None:
    for site, dates in (("newyork", "2024-10-20,2024-11-10"), ("howe", "2024-03-20,2024-04-15")):
        query = {"period": "custom", "date": dates, "metrics": "pageviews,visits,bots"}
        hours = await ask(client, "timeseries", site, interval="hour", **query)
        days = await ask(client, "timeseries", site, interval="date", **query)
        for metric in ("pageviews", "visits", "bots"):
            by_day: dict[str, int] = {row["date"]: 0 for row in days}
            for row in hours:
                by_day[row["date"][:10]] += row[metric]
            assert by_day == {row["date"]: row[metric] for row in days}


async def test_sites_agree_with_their_public_counters(
    client: httpx.AsyncClient, seen: World, clock: Clock
) -> None:
    names = {"pageviews": "views", "visits": "visits", "visitors": "visitors"}
    for site in [*BUSY, *QUIET]:
        today = datetime.fromtimestamp(clock(), ZoneInfo(ZONES[site])).date()
        periods = {
            "today": {"period": "day"},
            "this_month": {"period": "month"},
            "this_year": {"period": "year"},
            "last_year": {"period": "year", "date": f"{today.year - 1}-06-01"},
            "total": {"period": "custom", "date": "2020-01-01,2025-12-31"},
        }
        if site in QUIET[1:]:  # of which most periods have no hit
            periods = {"total": periods["total"]}
        found = {
            period: values(await ask(client, "aggregate", site, **query, metrics=",".join(names)))
            for period, query in periods.items()
        }
        for name, metric in names.items():
            public = (await client.get(f"/api/counter/{site}", params={"metric": metric})).json()
            assert {period: public[period] for period in periods} == {
                period: of_period[name] for period, of_period in found.items()
            }
        expected = measures(seen[site])
        assert found["total"] == {name: expected[name] for name in names}


async def test_visits_of_visitors_whose_hashes_are_alike_are_kept_apart(store: Store) -> None:
    """Their views lie between one another, and the next day they have the same hashes."""
    chance = random.Random(64)
    site = Site(slug="crowd", hosts=("crowd.example",), timezone="Pacific/Kiritimati")
    span = Span(to_day(date(2024, 5, 1)), to_day(date(2024, 5, 3)))
    visitors = [2**63 + 64 * number + 5 for number in range(300)] + list(range(1, 40))
    hits = [
        Hit(
            site=site.slug,
            path=chance.choice(("/", "/a", "/bài")),
            at=day_start_ms(day, site.timezone)
            + chance.choice((0, 8_000_000)) * place
            + chance.randrange(8_000_000),
            day=day,
            visitor=visitor,
            country=chance.choice(("VN", "")),
        )
        for day in range(span.first, span.last + 1)
        for visitor in visitors
        for place in range(chance.randrange(8))
    ]
    hits.sort(key=lambda hit: hit.at)
    await history.flush(store, hits)
    reader = StatsReader(store)
    try:
        for filters in ("", "visit:country==VN"):
            begun = [
                each
                for each in visits(hits)
                if each.begins and (not filters or each.hit.country == "VN")
            ]

            def sums(of: Iterable[Seen]) -> tuple[int, int, int]:
                of = list(of)
                return len(of), sum(each.views == 1 for each in of), sum(each.ms for each in of)

            asked = StatsQuery(site, span, (Measure.VISITS, *LENGTHS), parse(filters))
            total = (await reader.total(asked)).total()
            assert (total.measured, total.bounces, total.ms) == sums(begun)
            hours = await reader.timeseries(asked, Interval.HOUR)
            for name, counts in hours.rows:
                of_hour = [each for each in begun if wall_hour(each.hit, site.timezone) == name]
                assert (counts.measured, counts.bounces, counts.ms) == sums(of_hour)
            pages = await reader.breakdown(asked, BreakdownQuery(Property.PAGE, 10, 1))
            assert len(pages.rows) == 3
            for name, counts in pages.rows:
                of_page = [each for each in begun if each.hit.path == name]
                assert (counts.measured, counts.bounces, counts.ms) == sums(of_page)
    finally:
        await reader.close()


async def test_visitors_are_never_above_visits_however_they_are_estimated(store: Store) -> None:
    """Each of 72,000 visitors sees one page: an estimate of so many is off by some."""
    chance = random.Random(9)
    site = Site(slug="many", hosts=("many.example",), timezone="Asia/Ho_Chi_Minh")
    span = Span(to_day(date(2024, 6, 1)), to_day(date(2024, 6, 3)))
    hits = [
        Hit(
            site=site.slug,
            path=f"/{number % 7}",
            at=day_start_ms(day, site.timezone) + 24_000 * (number // 24),
            day=day,
            visitor=chance.getrandbits(64) or 1,
            country=f"{chance.choice('ABCDEFGH')}A",
            source=chance.choice(("", "google.com")),
        )
        for day in range(span.first, span.last + 1)
        for number in range(24_000)
    ]
    await history.flush(store, hits)
    measured = (Measure.VISITORS, Measure.VISITS, Measure.PAGEVIEWS)
    reader = StatsReader(store)
    try:
        for filters in ("", "visit:source==google.com", "event:page==/1|/2"):
            query = StatsQuery(site, span, measured, parse(filters))
            answers = [
                await reader.total(query),
                await reader.timeseries(query, Interval.DATE),
                *[await reader.breakdown(query, BreakdownQuery(by, 100, 1)) for by in Property],
            ]
            for answer in answers:
                for name, counts in answer.rows:
                    assert counts.visitors <= counts.visits <= counts.pageviews, (filters, name)
                    assert counts.visitors > 0.95 * counts.visits
    finally:
        await reader.close()


async def test_all_numbers_of_one_answer_are_of_one_position_while_hits_come_in(
    store: Store,
) -> None:
    site = Site(slug="coming", hosts=("coming.example",), timezone="Asia/Ho_Chi_Minh")
    day = to_day(date(2024, 7, 1))
    start = day_start_ms(day, site.timezone)

    def come(first: int, count: int, path: str) -> list[Hit]:
        return [
            Hit(site=site.slug, path=path, at=start + 1000 * number, day=day, visitor=number + 1)
            for number in range(first, first + count)
        ]

    await history.flush(store, come(0, 100, "/a"))
    query = StatsQuery(site, Span(day, day), (Measure.PAGEVIEWS, Measure.VISITS, Measure.VISITORS))
    filtered = StatsQuery(site, query.span, query.measures, parse("event:page==/a|/b"))
    pages = BreakdownQuery(Property.PAGE, 100, 1)
    reader = StatsReader(store)
    try:
        moment = await reader.snapshot(site, query.span)
        more = come(100, 50, "/b")
        # Raw hits are written first: these are of a flush of which the counters are not there.
        columns = {name: [getattr(hit, name) for hit in more] for name in COLUMNS_OF_HITS}
        positions = [entry_ids.encode(hit.at, 0) for hit in more]
        numbers = {"visit": [1] * 50, "position": positions, "idx": [0] * 50}
        await raw_hits.write(store, columns | numbers)
        for asked in (query, filtered):
            for result in (
                await reader.total(asked),
                await reader.breakdown(asked, pages),
                await reader.timeseries(asked, Interval.HOUR),
            ):
                counts = result.total()
                assert (counts.pageviews, counts.visits, counts.visitors) == (100, 100, 100)
                assert result.warnings == []

        # And now they are counted: who asks as of the moment before gets its numbers.
        await history.flush(store, [*come(0, 100, "/a"), *more])
        for asked, views in ((query, 150), (query.as_of(moment), 100)):
            for result in (
                await reader.total(asked),
                await reader.breakdown(asked, pages),
                await reader.timeseries(asked, Interval.DATE),
                await reader.timeseries(asked, Interval.HOUR),
            ):
                assert result.total().pageviews == views
                assert result.total().visitors == views
                assert result.warnings == []
    finally:
        await reader.close()


@pytest.mark.parametrize(
    "query",
    [
        SiteQuery(),
        SiteQuery("report_month", "2024-03-14"),
        SiteQuery("year", "2024-02-29", compare="year_over_year"),
        SiteQuery("custom", "2023-01-01,2024-12-31", compare="2022-01-01,2022-12-31"),
    ],
)
async def test_many_sites_read_together_have_the_numbers_of_each(
    store: Store, clock: Clock, query: SiteQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, statements = StatsReader(store), []
    async with reader.turn() as limited:
        execute = limited.execute

    async def counted(sql: str, parameters: Any = None) -> Any:
        statements.append(sql)
        return await execute(sql, parameters)

    monkeypatch.setattr(limited, "execute", counted)
    many = await read_many(reader, history.SITES, query, clock.ms)
    # Two that look for sketches to merge, two that add up, three that find the first days, one that
    # looks for undone imports, and one for days without a view; a year or two of fifty sites is no
    # more.
    assert len(statements) == 9
    sums, some = dict.fromkeys(CHARTED, 0), history.SITES[:4]
    for site in some:
        row, scope = many.of(site), many.scope
        asked = StatsQuery(site, scope.elapsed, CHARTED)
        now = (await reader.total(asked)).total()
        assert row.now == now
        assert [sum(one.value(of) or 0 for one in row.trend) for of in CHARTED] == [
            now.value(of) for of in CHARTED
        ]
        before = (await reader.total(asked.about(scope.compared))).total()
        assert row.before == (before if (row.since or 0) <= scope.compared.first else None)
        for measure in CHARTED:
            sums[measure] += int(now.value(measure) or 0)
    assert {of: many.together(some).now.value(of) for of in CHARTED} == sums
    await reader.close()
