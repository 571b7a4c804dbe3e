"""All rows of a panel, entry and exit pages, and pages of months whose raw hits are gone."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
from msgspec import structs

from services.api.stats.grammar.filters import Property, parse
from services.api.stats.grammar.measures import Measure
from services.api.stats.grammar.names import written
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.panels import heat
from services.api.stats.panels.breakdowns import BREAKDOWNS
from services.api.stats.periods import snapshot
from services.api.stats.periods.spans import Span
from services.api.stats.queries import coverage
from services.api.stats.readers.reader import StatsReader
from services.api.stats.rows import reading
from services.api.stats.rows.question import ROWS_A_PAGE, RowsQuery, parse_rows, section_of
from services.api.stats.rows.search import finds, folded
from services.model.calendar import to_day
from services.model.hit import Hit
from services.model.page_aliases import PageAlias
from services.model.site import Site
from services.store.counts import hits as raw_hits
from services.store.interface import Store
from tests.integration.stats import history
from tests.integration.stats.expected import HALF_HOUR_MS, Seen

pytestmark = pytest.mark.asyncio(loop_scope="module")

YEAR = {"site_id": "newyork", "period": "year", "date": "2023-06-01"}
DAYS = Span(to_day(date(2023, 1, 1)), to_day(date(2023, 12, 31)))
BEFORE = Span(to_day(date(2022, 1, 1)), to_day(date(2022, 12, 31)))
SITE = history.SITES[0]


def rows_of(by: Property, **changes: str) -> RowsQuery:
    asked: dict[str, str] = {"sort": "", "order": "", "search": "", "page": "", **changes}
    section = asked.pop("section", None)
    return parse_rows(by, section=section, kind=None, **asked)


def of_days(seen: Iterable[Seen], span: Span) -> list[Hit]:
    return [each.hit for each in seen if span.holds(each.hit.day) and not each.hit.bot]


def ends(seen: Iterable[Seen], span: Span) -> tuple[Counter[str], Counter[str]]:
    """Return how many visits began and ended on each page, without any code of Luot."""
    of_visitor: dict[Hashable, list[Hit]] = defaultdict(list)
    for hit in of_days(seen, span):
        if hit.visitor:
            of_visitor[hit.day, hit.visitor].append(hit)
    entries, exits = Counter[str](), Counter[str]()
    for hits in of_visitor.values():
        hits.sort(key=lambda hit: hit.at)
        for place, hit in enumerate(hits):
            if place == 0 or hit.at - hits[place - 1].at >= HALF_HOUR_MS:
                entries[hit.path] += 1
            if hit is hits[-1] or hits[place + 1].at - hit.at >= HALF_HOUR_MS:
                exits[hit.path] += 1
    return entries, exits


async def test_entry_and_exit_pages_are_as_computed(
    client: httpx.AsyncClient, seen: dict[str, list[Seen]]
) -> None:
    entries, exits = ends(seen["newyork"], DAYS)
    for by, expected in {"entry_page": entries, "exit_page": exits}.items():
        asked = {**YEAR, "property": f"visit:{by}", "metrics": "visits,visitors"}
        answer = await client.get("/api/v1/stats/breakdown", params=asked)
        assert answer.status_code == 200, answer.text
        found = {row[by]: row["visits"] for row in answer.json()["results"]}
        assert found == expected
        assert all(0 < row["visitors"] <= row["visits"] for row in answer.json()["results"])


async def test_what_is_not_known_of_entries_and_exits_is_refused(
    client: httpx.AsyncClient,
) -> None:
    for asked, field in (
        ({"property": "visit:exit_page", "metrics": "bounce_rate"}, "metrics"),
        ({"property": "visit:entry_page", "metrics": "pageviews"}, "metrics"),
        ({"property": "event:page", "filters": "visit:entry_page==/"}, "filters"),
    ):
        answer = await client.get("/api/v1/stats/breakdown", params=YEAR | asked)
        assert answer.status_code == 400
        assert list(answer.json()["errors"]) == [field]
    lengths = {"property": "visit:entry_page", "metrics": "visits,bounce_rate,visit_duration"}
    answer = await client.get("/api/v1/stats/breakdown", params=YEAR | lengths)
    assert all(0 <= row["bounce_rate"] <= 100 for row in answer.json()["results"])


@pytest.mark.parametrize("by", [*BREAKDOWNS.values()])
async def test_all_rows_are_those_of_the_breakdown_and_of_the_one_before(
    store: Store, client: httpx.AsyncClient, by: Property
) -> None:
    reader = StatsReader(store)
    query = StatsQuery(SITE, DAYS, (Measure.VISITS,))
    rows = rows_of(by)
    found = await reading.read(reader, query, rows, BEFORE)
    assert found.compared == found.measures == rows.measures
    metrics = ",".join(rows.measures)
    for period, at in (("2023-06-01", 1), ("2022-06-01", 2)):
        asked = {**YEAR, "date": period, "property": str(by), "metrics": metrics}
        answer = await client.get("/api/v1/stats/breakdown", params=asked)
        expected = {row.pop(by.field): row for row in answer.json()["results"]}
        for row in found.rows:
            counts = row.counts if at == 1 else row.before
            assert counts is not None
            value = {measure.value: counts.value(measure) for measure in rows.measures}
            assert value == expected.get(written(by, row.name), dict.fromkeys(value, 0))
        if at == 1:
            assert [written(by, row.name) for row in found.rows] == list(expected)
    await reader.close()


async def test_rows_are_searched_sorted_and_paged(store: Store) -> None:
    reader = StatsReader(store)
    query = StatsQuery(SITE, DAYS, (Measure.VISITS,))

    async def names(**changes: str) -> list[str]:
        rows = await reading.read(reader, query, rows_of(Property.PAGE, **changes), None)
        return [row.name for row in rows.rows]

    every = await names()
    assert await names(search="MO CUA") == ["/tin-tuc/mở-cửa.html"]
    assert await names(search="đung 100") == []
    assert await names(search="100 đung") == ["/tin-tuc/100%_đúng.html"]
    assert await names(search="a\\b") == ["/a\\b"]
    assert await names(search="tin.tuc") == []
    assert await names(sort="name") == sorted(every)
    assert (await names(sort="pageviews", order="asc"))[-1] == every[0]
    # Found by what people see of it, and not by its title.
    also = structs.replace(
        rows_of(Property.PAGE, search="zzz"), also=("/a\\b",), titled=(SITE.kept_as,)
    )
    of_also = await reading.read(reader, query, also, None)
    assert [row.name for row in of_also.rows] == ["/a\\b"]
    two = structs.replace(rows_of(Property.PAGE), limit=2, page=2)
    second = await reading.read(reader, query, two, None)
    assert ([row.name for row in second.rows], second.has_more) == (every[2:4], len(every) > 4)
    await reader.close()


async def test_which_hits_there_are_is_looked_up_once_for_a_moment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the panels of a page ask: of the same days again and again."""
    moment = await snapshot.take(store, SITE.kept_as, DAYS)
    found = await coverage.found(store, SITE.kept_as, DAYS, moment)
    assert set(found.held) == {day for day, (views, _) in moment.counted.items() if views}
    assert await coverage.found(store, SITE.kept_as, DAYS, moment) is found
    month = Span(DAYS.first, DAYS.first + 30)
    of_month = await coverage.found(store, SITE.kept_as, month, moment)
    assert set(of_month.held) == {day for day in found.held if month.holds(day)}
    later = await snapshot.take(store, SITE.kept_as, DAYS)
    assert await coverage.found(store, SITE.kept_as, DAYS, later) is not found
    monkeypatch.setattr(coverage, "GOOD_SECONDS", -1)
    assert await coverage.found(store, SITE.kept_as, DAYS, moment) is not found


async def test_sections_are_sums_of_their_pages(store: Store, seen: dict[str, list[Seen]]) -> None:
    reader = StatsReader(store)
    site = structs.replace(
        SITE, page_aliases=(PageAlias("/a\\b", "/tin-tuc/a"), PageAlias("/l", "/tin-tuc/b/c"))
    )
    renamed = {"/a\\b": "/tin-tuc/a", "/l": "/tin-tuc/b/c"}
    for section in ("/", "/tin-tuc/", "/l/"):
        rows = await reading.read(
            reader,
            StatsQuery(site, DAYS, (Measure.VISITS,)),
            rows_of(Property.PAGE, section=section),
            None,
        )
        views = Counter(
            section_of(renamed.get(hit.path, hit.path), section)
            for hit in of_days(seen["newyork"], DAYS)
        )
        expected = {
            name: count
            for name, count in views.items()
            if section == "/" or name.startswith(section)
        }
        assert {row.name: row.counts.pageviews for row in rows.rows} == expected
        assert {row.name for row in rows.rows if row.is_section} == {
            name for name in expected if name.endswith("/*")
        }
        visits = [row.counts for row in rows.rows]
        assert all(of.visitors <= of.visits <= of.pageviews for of in visits)
    await reader.close()


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_the_hours_of_the_week_are_those_of_the_clocks_on_the_wall(
    store: Store, seen: dict[str, list[Seen]], number: int
) -> None:
    site = history.SITES[number]
    reader = StatsReader(store)
    span = Span(to_day(date(2023, 6, 1)), to_day(date(2024, 12, 31)))
    found = await heat.read(reader, StatsQuery(site, span, ()))
    expected = [[0] * 24 for _ in range(7)]
    for hit in of_days(seen[site.slug], span):
        local = datetime.fromtimestamp(hit.at / 1000, ZoneInfo(site.timezone))
        expected[local.weekday()][local.hour] += 1
    assert found.value == expected
    assert not found.partial
    await reader.close()


async def test_what_has_diacritics_is_found_without() -> None:
    assert folded("Đồng Tháp") == "dong thap"
    assert finds("dong thap", "Tỉnh Đồng Tháp")
    assert not finds("thap dong", "Tỉnh Đồng Tháp")


async def test_pages_whose_raw_hits_are_gone_come_from_their_counters(
    store: Store, client: httpx.AsyncClient, seen: dict[str, list[Seen]]
) -> None:
    await raw_hits.drop_months_before(store, to_day(date(2023, 4, 1)))
    hits = of_days(seen["newyork"], DAYS)
    views = Counter(hit.path for hit in hits)
    entries, _ = ends(seen["newyork"], DAYS)

    async def asked(**changes: str) -> httpx.Response:
        params = {**YEAR, "property": "event:page", "metrics": "pageviews", **changes}
        return await client.get("/api/v1/stats/breakdown", params=params)

    answer = (await asked()).json()
    assert {row["page"]: row["pageviews"] for row in answer["results"]} == views
    assert "warnings" not in answer, "views are exact"
    both = (await asked(metrics="pageviews,visits")).json()
    assert {row["page"]: row["visits"] for row in both["results"]} == {
        path: entries.get(path, 0) for path in views
    }
    assert "counters of pages" in both["warnings"][0]
    below = (await asked(filters="event:page==/l/*|/l")).json()
    assert {row["page"] for row in below["results"]} == {"/l", "/l/2"}
    visitors = (await asked(metrics="visitors")).json()
    assert "they count nothing here" in visitors["warnings"][0]
    gone = await asked(date="2022-06-01", metrics="visitors")
    assert gone.status_code == 422
    whole = (await asked(period="custom", date="2022-02-10,2023-03-20")).json()
    odd = Span(to_day(date(2022, 2, 10)), to_day(date(2023, 3, 20)))
    expected = Counter(hit.path for hit in of_days(seen["newyork"], odd))
    assert {row["page"]: row["pageviews"] for row in whole["results"]} == expected

    days = {**YEAR, "metrics": "pageviews", "filters": "event:page==/l", "interval": "month"}
    series = (await client.get("/api/v1/stats/timeseries", params=days)).json()
    assert "warnings" not in series
    assert sum(row["pageviews"] for row in series["results"]) == views["/l"]

    reader = StatsReader(store)
    for section in (None, "/tin-tuc/"):
        rows = await reading.read(
            reader,
            StatsQuery(SITE, DAYS, (Measure.VISITS,), parse("event:page!=/")),
            RowsQuery(Property.PAGE, "visits", section=section),
            BEFORE,
        )
        assert rows.is_counters
        assert rows.measures == rows.compared == (Measure.PAGEVIEWS, Measure.VISITS)
        found = {row.name: row.counts.pageviews for row in rows.rows}
        assert found == {
            path: count
            for path, count in views.items()
            if path != "/" and path.startswith(section or "")
        }
    await reader.close()


async def test_rows_of_sites_that_are_merged_add_up(
    store: Store, seen: dict[str, list[Seen]]
) -> None:
    other: Site = history.SITES[2]
    reader = StatsReader(store, parts=lambda site: (site, other))
    span = Span(to_day(date(2024, 1, 1)), to_day(date(2024, 6, 30)))
    rows = await reading.read(reader, StatsQuery(SITE, span, ()), rows_of(Property.COUNTRY), None)
    expected = Counter(
        hit.country or "(not set)"
        for slug in (SITE.slug, other.slug)
        for hit in of_days(seen[slug], span)
    )
    assert {row.name: row.counts.pageviews for row in rows.rows} == expected
    assert len(rows.rows) < ROWS_A_PAGE
    await reader.close()
