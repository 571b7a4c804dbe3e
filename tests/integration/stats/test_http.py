"""Queries of traffic as a client sees them: who may ask, what is refused, CSV, and old hits."""

import csv
import io
import json
import re
from datetime import date
from typing import Any

import httpx
import msgspec
import openpyxl
import pytest
from redis.asyncio import Redis

from services.api.app import Api
from services.api.stats.answers import prefers_csv, table
from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import Measure, change
from services.api.stats.grammar.traffic_sources import traffic_sources
from services.api.stats.readers.callers import Audience, StatsReaders
from services.model.calendar import day_start_ms, to_date, to_day
from services.model.hit import Hit
from services.model.site import Site
from services.state import keys
from services.store.counts import hits as repository
from services.store.interface import Limits, Store
from tests.integration.api import changes
from tests.integration.api.world import Clock
from tests.integration.stats.expected import ALL, TOGETHER, Seen, grouped, measures, visits

ROUTES = ("realtime/visitors", "aggregate", "timeseries", "breakdown")
MARCH = {"period": "month", "date": "2024-03-15"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask(client: httpx.AsyncClient, what: str, **query: str) -> httpx.Response:
    return await client.get(f"/api/v1/stats/{what}", params={"site_id": "newyork", **query})


async def results(client: httpx.AsyncClient, what: str, **query: str) -> Any:
    answer = await ask(client, what, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


@pytest.mark.parametrize("route", ROUTES)
async def test_nobody_asks_without_a_token(client: httpx.AsyncClient, route: str) -> None:
    for site in ("newyork", "nobody", ""):
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
            answer = await client.get(
                f"/api/v1/stats/{route}", params={"site_id": site}, headers=headers
            )
            assert (answer.status_code, list(answer.json()["errors"])) == (401, ["authorization"])


async def test_a_public_dashboard_is_for_everybody(api: Api, client: httpx.AsyncClient) -> None:
    site = api.registry.get("howe")
    assert site is not None
    await changes.save(api, msgspec.structs.replace(site, public_dashboard=True))
    try:
        anybody = {"Authorization": ""}
        answer = await client.get(
            "/api/v1/stats/aggregate", params={"site_id": "howe.example"}, headers=anybody
        )
        assert answer.status_code == 200
        other = await client.get(
            "/api/v1/stats/aggregate", params={"site_id": "newyork"}, headers=anybody
        )
        assert other.status_code == 401
    finally:
        await changes.save(api, site)


async def test_a_site_is_named_by_its_slug_or_by_a_host(
    api: Api, client: httpx.AsyncClient
) -> None:
    wanted = await results(client, "aggregate", **MARCH)
    assert await results(client, "aggregate", **MARCH, site_id="ny.example") == wanted
    assert await results(client, "aggregate", **MARCH, site_id="WWW.ny.example") == wanted
    for name in ("nobody", "example", "*", "x.ny.example"):
        assert (await ask(client, "aggregate", site_id=name)).status_code == 404
    for slug in ("one", "two"):
        await changes.save(api, Site(slug=slug, hosts=("shared.example",)))
    shared = await ask(client, "aggregate", site_id="shared.example")
    assert shared.status_code == 400
    assert shared.json()["errors"]["site_id"] == [
        "'shared.example' is a host of one, two; expected a slug"
    ]
    for slug in ("one", "two"):
        await changes.remove(api, slug)


@pytest.mark.parametrize(
    ("route", "query", "field"),
    [
        ("aggregate", {"site_id": ""}, "site_id"),
        ("aggregate", {"period": "1d"}, "period"),
        ("aggregate", {"period": "custom"}, "date"),
        ("aggregate", {"period": "custom", "date": "2024-02-01,2024-01-01"}, "date"),
        ("aggregate", {"period": "custom", "date": "1999-12-31,2024-01-01"}, "date"),
        ("aggregate", {"period": "custom", "date": "2010-01-01,2024-01-01"}, "date"),
        ("aggregate", {"date": "2024-02-30"}, "date"),
        ("aggregate", {"date": "20240201"}, "date"),
        ("aggregate", {"metrics": "visitors,events"}, "metrics"),
        ("aggregate", {"metrics": ","}, "metrics"),
        ("aggregate", {"compare": "last_year"}, "compare"),
        ("aggregate", {"filters": "event:page"}, "filters"),
        ("aggregate", {"filters": "event:page=="}, "filters"),
        ("aggregate", {"filters": "event:page==/a||/b"}, "filters"),
        ("aggregate", {"filters": "visit:city==Paris"}, "filters"),
        ("aggregate", {"filters": ";".join(["visit:os==a"] * 21)}, "filters"),
        ("aggregate", {"filters": "visit:os==" + "|".join("a" * 101)}, "filters"),
        ("aggregate", {"filters": "event:page==/", "metrics": "views_per_visit"}, "metrics"),
        ("timeseries", {"interval": "minute"}, "interval"),
        ("timeseries", {"interval": "hour", "period": "91d"}, "interval"),
        ("breakdown", {}, "property"),
        ("breakdown", {"property": "visit:city"}, "property"),
        ("breakdown", {"property": "visit:os", "limit": "0"}, "limit"),
        ("breakdown", {"property": "visit:os", "limit": "1001"}, "limit"),
        ("breakdown", {"property": "visit:os", "limit": "١"}, "limit"),
        ("breakdown", {"property": "visit:os", "page": "-1"}, "page"),
        ("breakdown", {"property": "event:page", "metrics": "views_per_visit"}, "metrics"),
    ],
)
async def test_a_bad_question_is_refused_by_its_parameter(
    client: httpx.AsyncClient, route: str, query: dict[str, str], field: str
) -> None:
    answer = await ask(client, route, **query)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field]), answer.text
    # Clients of Plausible's API read one text.
    [text] = answer.json()["errors"][field]
    assert answer.json()["error"] == f"{field}: {text}"


async def test_a_comparison_is_with_as_many_days_just_before(
    client: httpx.AsyncClient, seen: dict[str, list[Seen]]
) -> None:
    query = {"period": "7d", "date": "2024-06-14", "metrics": ALL}
    found = await results(client, "aggregate", **query, compare="previous_period")

    def week(last: date) -> dict[str, float | None]:
        days = range(to_day(last) - 6, to_day(last) + 1)
        return measures(each for each in seen["newyork"] if each.hit.day in days)

    now, before = week(date(2024, 6, 14)), week(date(2024, 6, 7))
    assert found == {
        measure: {
            "value": now[measure],
            "change": change(measure, now[measure], before[measure]),
        }
        for measure in TOGETHER
    }
    assert now != before


@pytest.mark.parametrize(
    ("query", "compare", "before"),
    [
        ({"period": "month", "date": "2024-03-15"}, "previous_period", "2024-02-01,2024-02-29"),
        ({"period": "quarter", "date": "2023-05-01"}, "year_over_year", "2022-04-01,2022-06-30"),
        (
            {"period": "report_month", "date": "2024-03-10"},
            "previous_period",
            "2024-01-15,2024-02-14",
        ),
        ({"period": "year"}, "previous_period", "2023-01-01,2023-12-31"),
        ({"period": "7d", "date": "2024-06-14"}, "2023-06-01,2023-06-10", "2023-06-01,2023-06-10"),
    ],
)
async def test_a_comparison_is_with_what_people_mean(
    client: httpx.AsyncClient,
    seen: dict[str, list[Seen]],
    query: dict[str, str],
    compare: str,
    before: str,
) -> None:
    found = await results(client, "aggregate", **query, metrics=ALL, compare=compare)
    first, last = (to_day(date.fromisoformat(day)) for day in before.split(","))
    then = measures(each for each in seen["newyork"] if first <= each.hit.day <= last)
    assert any(then.values())
    for measure in TOGETHER:
        now = found[measure]["value"]
        assert found[measure]["change"] == change(measure, now, then[measure]), measure


async def test_today_is_compared_with_another_day_up_to_the_same_time(
    client: httpx.AsyncClient, seen: dict[str, list[Seen]]
) -> None:
    """It is 12:30 there."""
    site, half_past = "portal-1", (12 * 60 + 30) * 60_000
    differing = 0
    for day in range(20, 31):
        then = date(2024, 12, day)
        start = day_start_ms(to_day(then), "Asia/Ho_Chi_Minh")
        whole = [each.hit for each in seen[site] if each.hit.day == to_day(then)]
        early = [hit for hit in whole if hit.at < start + half_past]
        before = measures(visits(early))
        compare = "previous_period" if day == 30 else f"{then},{then}"
        query = {"site_id": site, "period": "day", "metrics": ALL, "compare": compare}
        found = await results(client, "aggregate", **query)
        for measure in TOGETHER:
            now = found[measure]["value"]
            assert found[measure]["change"] == change(measure, now, before[measure]), (day, measure)
        differing += before != measures(visits(whole))
    assert differing > 3

    page = await client.get(
        f"/admin/sites/{site}", params={"period": "day"}, headers={"Accept-Language": "en"}
    )
    assert "up to 12:30" in page.text
    change_now = found["pageviews"]["change"]
    assert change_now is None or f"{abs(change_now):.0f}%" in page.text
    # The rows of a panel are of the same hours.
    rows = await client.get(
        f"/admin/sites/{site}/all/device/csv",
        params={"period": "day"},
        headers={"Accept-Language": "en"},
    )
    of_device = grouped(visits(early), lambda hit: hit.device or "(not set)")
    told = [line["pageviews before"] for line in csv.DictReader(io.StringIO(rows.text[1:]))]
    names = [line["device"] for line in csv.DictReader(io.StringIO(rows.text[1:]))]
    assert told == [str(of_device.get(name, {"pageviews": 0})["pageviews"]) for name in names]
    # The table of sites says the same, also of one of which something was taken back.
    asked = {"period": "day", "compare": compare}
    table_of = (await client.get("/api/v1/table", params=asked)).json()["sites"]
    [row] = [row for row in table_of if row["site"] == site]
    assert row["before"] == {of: before[of] for of in ("pageviews", "visits", "visitors")}


async def test_what_was_not_counted_as_a_whole_is_compared_with_nothing(
    client: httpx.AsyncClient, seen: dict[str, list[Seen]]
) -> None:
    first = min(each.hit.day for each in seen["newyork"])
    query = {"period": "month", "date": to_date(first).isoformat(), "metrics": "visits"}
    for compare in ("previous_period", "year_over_year"):
        answer = (await ask(client, "aggregate", **query, compare=compare)).json()
        assert answer["results"]["visits"]["value"] > 0
        assert answer["results"]["visits"]["change"] is None
        assert f"the first day was {to_date(first)}" in answer["warnings"][0]


async def test_a_change_is_in_percent_and_that_of_a_rate_in_points() -> None:
    assert change(Measure.VISITORS, 15, 10) == 50
    assert change(Measure.VISITORS, 5, 10) == -50
    assert change(Measure.VISITORS, 5, 0) is None
    assert change(Measure.VISITORS, 0, 0) == 0
    assert change(Measure.BOUNCE_RATE, 40, 50) == -10
    assert change(Measure.VISIT_DURATION, None, 50) is None


@pytest.mark.parametrize("rate", ["bounce_rate", "visit_duration", "views_per_visit"])
@pytest.mark.parametrize("by", ["source", "country"])
async def test_rows_are_in_the_order_of_a_rate_if_that_is_the_first_metric(
    client: httpx.AsyncClient, seen: dict[str, list[Seen]], by: str, rate: str
) -> None:
    query = {**MARCH, "property": f"visit:{by}", "metrics": f"{rate},visits"}
    rows = await results(client, "breakdown", **query)
    first, last = (to_day(date(2024, 3, day)) for day in (1, 31))
    march = [each for each in seen["newyork"] if first <= each.hit.day <= last]

    def called(hit: Hit) -> str:
        return traffic_sources().called(hit.source) if by == "source" else hit.country

    expected = grouped(march, called)
    known = {row[by]: row[rate] for row in rows if row[by] in expected}
    assert known == {name: expected[name][rate] for name in known}
    assert len(known) > 2
    values = [row[rate] or 0 for row in rows]
    assert len(set(values)) > 1
    assert values == sorted(values, reverse=True)
    for page in (1, 2):
        some = await results(client, "breakdown", **query, limit="2", page=str(page))
        assert some == rows[2 * page - 2 : 2 * page]
    body = {
        "site_id": "newyork",
        "metrics": [rate],
        "date_range": ["2024-03-01", "2024-03-31"],
        "dimensions": [f"visit:{by}"],
        "pagination": {"limit": 3},
        "include": {"comparisons": {"mode": "previous_period"}},
    }
    answer = await client.post("/api/v2/query", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["meta"]["warnings"] == []
    found = answer.json()["results"]
    assert [row["dimensions"][0] for row in found] == [row[by] for row in rows[:3]]
    early = {**query, "date": "2024-02-01"}
    february = {row[by]: row[rate] for row in await results(client, "breakdown", **early)}
    for row in found:
        assert row["comparison"]["metrics"] == [
            february.get(row["dimensions"][0], measures([])[rate])
        ]


async def test_pages_of_a_breakdown_follow_one_another(client: httpx.AsyncClient) -> None:
    query = {"property": "event:page", "period": "year", "metrics": "pageviews,visitors"}
    everything = await results(client, "breakdown", **query)
    pieces = [
        await results(client, "breakdown", **query, limit="3", page=str(page)) for page in (1, 2, 3)
    ]
    assert [len(piece) for piece in pieces] == [3, 3, 1]
    assert [row for piece in pieces for row in piece] == everything
    counts = [row["pageviews"] for row in everything]
    assert counts == sorted(counts, reverse=True)


async def test_who_is_online_is_a_plain_number(
    client: httpx.AsyncClient, redis: Redis, clock: Clock
) -> None:
    clock.now += 1
    await redis.hset(keys.ONLINE, "newyork", f"21:{clock.ms}")
    answer = await ask(client, "realtime/visitors")
    assert (answer.status_code, answer.text) == (200, "21")


async def test_csv_has_the_same_rows(client: httpx.AsyncClient) -> None:
    for what, query in (
        ("timeseries", {"interval": "week"}),
        ("breakdown", {"property": "visit:source"}),
    ):
        rows = await results(client, what, **MARCH, metrics=ALL, **query)
        answer = await client.get(
            f"/api/v1/stats/{what}",
            params={"site_id": "newyork", **MARCH, "metrics": ALL, **query},
            headers={"Accept": "text/csv"},
        )
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"].startswith('attachment; filename="newyork-')
        read = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert read == [
            {name: "" if cell is None else str(cell) for name, cell in row.items()} for row in rows
        ]
    total = await client.get(
        "/api/v1/stats/aggregate",
        params={"site_id": "newyork", **MARCH},
        headers={"Accept": "text/csv"},
    )
    assert total.text.splitlines()[0] == '"metric","value"'


async def test_csv_is_text_to_a_spreadsheet() -> None:
    harmful = ["=cmd()", "+1", "-1", "@x", "\tx", "\rx", "\uff1dcmd()"]
    rows: list[dict[str, Any]] = [{"page": text, "visitors": -1} for text in harmful]
    read = list(csv.reader(io.StringIO(table(rows), newline="")))
    assert read == [["page", "visitors"], *([f"'{text}", "-1"] for text in harmful)]
    assert table([{"page": '/a,"b"\n'}]) == '"page"\r\n"/a,""b""\n"\r\n'


async def test_csv_quotes_every_text_and_no_number() -> None:
    rows: list[dict[str, Any]] = [
        {"page": "/a", "visits": 7, "bounce_rate": -1.5, "duration": None}
    ]
    assert table(rows) == '"page","visits","bounce_rate","duration"\r\n"/a",7,-1.5,\r\n'


@pytest.mark.parametrize(
    ("accept", "csv_is_better"),
    [
        ("text/csv", True),
        ("*/*", False),
        ("", False),
        ("application/json, text/csv;q=0.5", False),
        ("application/json;q=0.1, text/csv", True),
        ("text/csv;q=x", False),
    ],
)
async def test_csv_is_for_who_prefers_it(accept: str, csv_is_better: bool) -> None:
    assert prefers_csv(accept) is csv_is_better


async def test_a_hit_that_was_written_twice_counts_once(
    client: httpx.AsyncClient, store: Store
) -> None:
    queries = [
        ("aggregate", {"metrics": ALL, "filters": "visit:device!=tablet"}),
        ("aggregate", {"metrics": ALL}),
        ("breakdown", {"metrics": "bots,pageviews,visits,visitors", "property": "event:page"}),
        ("timeseries", {"metrics": ALL, "period": "day", "date": "2024-03-16"}),
    ]

    async def answers() -> list[Any]:
        return [
            await results(client, what, **{**MARCH, "period": "91d", **query})
            for what, query in queries
        ]

    before = await answers()
    await store.execute(
        "INSERT INTO hits SELECT * FROM hits"
        " WHERE site = 'newyork' AND day >= '2024-03-01' AND day <= '2024-03-20'"
    )
    ((rows, single),) = await store.execute(
        "SELECT count(), uniqExact(position, idx) FROM hits"
        " WHERE site = 'newyork' AND toYYYYMM(day) = 202403"
    )
    assert rows > single, "merged before it could be seen"
    assert await answers() == before


async def test_a_query_over_its_limits_is_refused_and_the_counter_goes_on(
    api: Api, client: httpx.AsyncClient, store: Store
) -> None:
    running = api._running
    assert running is not None
    generous = running.stats.readers
    tight = Limits(calls=1, threads=1, seconds=10, bytes=100_000)
    running.stats.readers = StatsReaders(store, dict.fromkeys(Audience, tight))
    try:
        refused = await ask(client, "aggregate", period="year", metrics=ALL)
        assert (refused.status_code, list(refused.json()["errors"])) == (422, ["query"])
        assert "10 s or 0 MB" in refused.json()["errors"]["query"][0]
        assert (await client.get("/api/counter/newyork")).status_code == 200
        for path in ("", "/all/source"):
            page = await client.get(
                f"/admin/sites/newyork{path}",
                params={"period": "year", "date": "2023-06-01"},
                headers={"Accept": "text/html", "Accept-Language": "vi"},
            )
            refusals = re.findall(r'class="[^"]*problem"[^>]*>(.*?)</(?:p|li)>', page.text)
            assert refusals, "nothing was refused"
            for said in refusals:
                assert 'lang="vi">cần hơn 10 giây' in said, "why, as text, for phones and keyboards"
    finally:
        await running.stats.readers.close()
        running.stats.readers = generous
    assert (await ask(client, "aggregate", period="year", metrics=ALL)).status_code == 200


async def test_who_waits_too_long_for_a_turn_is_told(
    api: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = api._running
    assert running is not None
    turns = running.stats.readers._readers[Audience.OWNERS]._turns
    monkeypatch.setattr("services.api.stats.readers.reader.WAIT_SECONDS", 0.01)
    async with turns.turn("a", 60), turns.turn("b", 60):
        busy = await ask(client, "aggregate")
        assert busy.status_code == 503
        assert "under way" in busy.json()["errors"]["store"][0]
        assert int(busy.headers["retry-after"]) > 0
    assert (await ask(client, "aggregate")).status_code == 200


async def test_raw_hits_that_are_gone_are_told_and_whole_days_stay(
    client: httpx.AsyncClient, store: Store
) -> None:
    """The last test: it removes hits."""
    early = {"period": "month", "date": "2022-01-15"}
    total = await results(client, "aggregate", **early, metrics="pageviews,visits,visitors")
    await repository.drop_months_before(store, to_day(date(2022, 3, 1)))

    assert await results(client, "aggregate", **early, metrics="pageviews,visits,visitors") == total
    gone = await ask(client, "breakdown", **early, property=Property.PAGE)
    assert (gone.status_code, list(gone.json()["errors"])) == (422, ["date"])
    assert "2022-01-01 to 2022-01-31" in gone.text
    half = {"period": "custom", "date": "2022-02-20,2022-03-10", "metrics": "bots"}
    partly = await ask(client, "aggregate", **half)
    assert "2022-02-20 to 2022-02-28" in json.dumps(partly.json()["warnings"])
    later = await results(client, "aggregate", **{**half, "date": "2022-03-01,2022-03-10"})
    assert partly.json()["results"] == later
    table = await client.get(
        "/api/v1/stats/aggregate",
        params={"site_id": "newyork", **half},
        headers={"Accept": "text/csv"},
    )
    assert "2022-02-20 to 2022-02-28" in table.headers["x-luot-warning"]
    compared = {"period": "month", "date": "2022-03-31", "metrics": "bots,pageviews"}
    answer = (await ask(client, "aggregate", **compared, compare="previous_period")).json()
    assert answer["results"]["bots"]["change"] is None
    assert answer["warnings"]
    rows = await client.get(
        "/admin/sites/newyork/all/device",
        params={"period": "month", "date": "2022-03-31", "compare": "previous_period"},
        headers={"Accept": "text/html", "Accept-Language": "en"},
    )
    assert "is no longer kept, so no change is shown of: " in rows.text

    # Pages say it in words of their own, once, and nothing of a query that is too large.
    said = r"there are details since \d Mar 2022 only"
    english = {"Accept": "text/html", "Accept-Language": "en"}
    page = (await client.get("/admin/sites/newyork", params=early, headers=english)).text
    assert (len(re.findall(said, page)), page.count("too large"), page.count('id="source"')) == (
        1,
        0,
        0,
    )
    unknown = re.findall(r'<span class="label">([^<]+)</span> <span class="value">–<', page)
    assert unknown == ["Bounce rate", "Visit duration", "Bots (not counted)"]
    assert 'id="page"' in page, "by counters"
    rows = await client.get("/admin/sites/newyork/all/source", params=early, headers=english)
    assert (rows.status_code, len(re.findall(said, rows.text)), "too large" in rows.text) == (
        200,
        1,
        False,
    )
    printed = await client.get("/admin/sites/newyork/report", params=early, headers=english)
    assert (len(re.findall(said, printed.text)), "too large" in printed.text) == (3, False)


async def test_shares_are_of_the_days_of_which_raw_hits_are_kept(
    client: httpx.AsyncClient, seen: dict[str, list[Seen]]
) -> None:
    """It follows the one that removes the hits of January and February."""
    quarter = {"period": "quarter", "date": "2022-02-01"}
    of_days = [one for one in seen["newyork"] if to_date(one.hit.day).isoformat() < "2022-04-01"]
    march = [one for one in of_days if to_date(one.hit.day).month == 3]
    devices = grouped(march, lambda hit: hit.device)
    kept, whole = (int(measures(those)["visits"] or 0) for those in (march, of_days))
    assert whole > kept > 0
    group = {"slug": "all", "name": "All", "sites": ["newyork"]}
    made = await client.post("/api/admin/groups", json=group)
    assert made.status_code == 201, made.text
    for report in ("reports/newyork", "groups/all/report"):
        answer = await client.get(f"/api/v1/{report}", params=quarter)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        first = min(one.hit.day for one in march if not one.hit.bot)
        assert found["kept"] == {
            "since": to_date(first).isoformat(),
            "visits": kept,
            "whole": whole,
        }
        shares = {row["name"]: row["percent"] for row in found["devices"]["rows"]}
        for name, share in shares.items():
            kind = name if name in devices else ""
            assert share == round(100 * (devices[kind]["visits"] or 0) / kept, 1), name
        assert sum(shares.values()) == pytest.approx(100, abs=0.5)
    since = f"{to_date(first).day} {to_date(first):%b %Y}"
    note = f"Details since {since} only: {kept:,} of the {whole:,} visits of the period."
    english = {"Accept": "text/html", "Accept-Language": "en"}
    printed = await client.get("/admin/sites/newyork/report", params=quarter, headers=english)
    assert printed.text.count(note) == 3, "in the summary, and at both lists"
    page = (await client.get("/admin/sites/newyork", params=quarter, headers=english)).text
    panel = page.partition('id="device"')[2].partition("</section>")[0]
    assert note in panel
    assert sum(map(int, re.findall(r'class="share">(\d+)%', panel))) in range(98, 103)
    workbook = await client.get(
        "/admin/sites/newyork/report.xlsx", params={**quarter, "lang": "en"}
    )
    book = openpyxl.load_workbook(io.BytesIO(workbook.content))
    cells = [str(cell.value) for row in book["Devices"].iter_rows() for cell in row]
    assert note in cells


async def test_a_month_of_which_raw_hits_are_missing_says_how_many_count(
    client: httpx.AsyncClient, store: Store
) -> None:
    april = {"period": "month", "date": "2022-04-15"}
    pages = {**april, "property": Property.PAGE, "metrics": "pageviews"}
    countries = {**pages, "property": Property.COUNTRY}
    (total,) = (await results(client, "aggregate", **april, metrics="pageviews")).values()
    named = "site, path, at, day, visitor, visit, bot, host, source, device, browser, os, country"
    names = f"{named}, position, idx".split(", ")
    rows = await store.execute(
        f"SELECT {', '.join(names)} FROM hits WHERE site = 'newyork' AND toYYYYMM(day) = 202204"
    )
    await repository.drop_months_before(store, to_day(date(2022, 5, 1)))
    # A replay has brought some of them back.
    few = [row for place, row in enumerate(rows) if place % 3 == 0]
    columns = dict(zip(names, map(list, zip(*few, strict=True)), strict=True))
    await repository.write(store, columns | {"day": [to_day(day) for day in columns["day"]]})

    by_page = (await ask(client, "breakdown", **pages)).json()
    assert sum(row["pageviews"] for row in by_page["results"]) == total["value"], "by counters"
    answer = await ask(client, "breakdown", **countries)
    assert answer.status_code == 200, answer.text
    counted = sum(row["pageviews"] for row in answer.json()["results"])
    assert counted == sum(not row[names.index("bot")] for row in few)
    (warning,) = answer.json()["warnings"]
    assert "2022-04-01 to 2022-04-30" in warning
    # Days of which everything was left, or nothing was counted, are not in these numbers.
    left, whole = (int(text) for text in re.findall(r"(\d+) of (\d+) views", warning)[0])
    assert total["value"] - whole == counted - left
    filtered = await ask(client, "aggregate", **april, filters="visit:country==VN")
    assert "are gone in part" in filtered.json()["warnings"][0]

    page = await client.get("/admin/sites/newyork", params=april, headers={"Accept-Language": "en"})
    assert page.status_code == 200, page.text
    assert re.search(r"Details since \d+ Apr 2022 only: \d+ of the \d+ visits", page.text)
    table = await client.get("/admin/sites/newyork/csv/page", params=april)
    assert "are gone in part" in table.headers["x-luot-warning"]
    assert (await results(client, "aggregate", **april, metrics="pageviews"))["pageviews"] == total


async def test_a_site_without_a_hit_has_zeros(api: Api, client: httpx.AsyncClient) -> None:
    await changes.save(api, Site(slug="new", hosts=("new.example",)))
    query = {"site_id": "new", "metrics": ALL}
    found = await results(client, "aggregate", **query)
    assert {name: value["value"] for name, value in found.items()} == measures([])
    future = {"period": "month", "date": "2025-02-01"}
    assert len(await results(client, "timeseries", **query, **future)) == 28
    assert await results(client, "breakdown", **query, property="visit:os") == []
    await changes.remove(api, "new")


async def test_the_sites_of_a_token_are_listed_in_parts_on_and_back(
    api: Api, client: httpx.AsyncClient
) -> None:
    async def part(**query: str) -> tuple[list[str], dict[str, Any]]:
        answer = await client.get("/api/v1/sites", params=query)
        assert answer.status_code == 200, answer.text
        return [site["domain"] for site in answer.json()["sites"]], answer.json()["meta"]

    every = [site.slug for site in api.registry.all()]
    whole, meta = await part()
    assert (whole, meta) == (every, {"after": None, "before": None, "limit": 100})
    read: list[str] = []
    parts = []
    query: dict[str, str] = {"limit": "7"}
    while True:
        slugs, meta = await part(**query)
        read += slugs
        parts.append(slugs)
        if meta["after"] is None:
            break
        query["after"] = meta["after"]
    assert read == every
    back, _ = await part(limit="7", before=meta["before"])
    assert back == parts[-2]

    first = (await client.get("/api/v1/sites", params={"limit": "1"})).json()["sites"][0]
    site = api.registry.site(every[0])
    assert first == {"domain": site.slug, "name": site.name, "timezone": site.timezone}
    for limit in ("0", "1001", "x"):
        refused = await client.get("/api/v1/sites", params={"limit": limit})
        assert (refused.status_code, list(refused.json()["errors"])) == (400, ["limit"])
        assert refused.json()["error"].startswith("limit: ")
    stranger = await client.get("/api/v1/sites", headers={"Authorization": ""})
    assert stranger.status_code == 401
