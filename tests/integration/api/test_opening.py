"""Opening balances in queries of traffic: apart from what was measured, and in it on request."""

import html
import re
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.model.calendar import EPOCH, to_day
from services.store.interface import Store
from tests.integration.api.world import EITHER_STORE, TOKEN, write_counter

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
BULK = "/api/admin/sites/mytho/balances/bulk"
STATS = "/api/v1/stats"

# Nobody measured before 2 January 2024; it is the 3rd.
ENTERED = """\
period,visits,views
total,8000000,9000000
2022,1000000,2000000
2023-02,60000,0
2023-01-01,10,20
2023-01-02,20,40
2023-01-03,30,60
2023-12-31,40,80
2024-01-01,50,100
2024-01-02,5,10
"""
PAGES = """\
path,period,views
/cu,total,5000
/cu,2024-01-01,70
/moi,2024-01-02,2
/xa-xua,2022-05-01,900
"""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def numbers(client: httpx.AsyncClient, store: Store) -> AsyncIterator[None]:
    measured = {date(2024, 1, 2): (3, 2), date(2024, 1, 3): (8, 4)}
    position = 0
    paths = ["/moi", "/moi", "/moi", *["/"] * 4, "/moi", "/tin", "/tin", "/tin"]
    for day, (views, visits) in measured.items():
        await write_counter(store, "mytho", "day", day, visits, views=views, position=10)
        size = views
        await store.insert(
            "hits",
            {
                "site": ["mytho"] * size,
                "path": paths[position : position + size],
                "at": [0] * size,
                "day": [to_day(day)] * size,
                "visitor": list(range(1, size + 1)),
                "visit": [1] * visits + [0] * (views - visits),
                "bot": [0] * size,
                **dict.fromkeys(
                    ("host", "source", "device", "browser", "os", "country"), [""] * size
                ),
                "position": [5] * size,
                "idx": list(range(position, position + size)),
            },
        )
        position += size
    for grain, start in {
        "month": date(2024, 1, 1),
        "year": date(2024, 1, 1),
        "total": EPOCH,
    }.items():
        await write_counter(store, "mytho", grain, start, 6, views=11, position=10)
    for name, table in (("site", ENTERED), ("pages", PAGES)):
        query = {"id": name, "reason": "r"}
        answer = await client.post(BULK, params=query, content=table.encode(), headers=ADMIN)
        assert answer.status_code == 201, answer.text
    yield


async def ask(client: httpx.AsyncClient, route: str, **query: str) -> dict[str, Any]:
    query = {"site_id": "mytho", "metrics": "visits,pageviews", **query}
    answer = await client.get(f"{STATS}/{route}", params=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def both(client: httpx.AsyncClient, **query: str) -> tuple[int, int]:
    found = (await ask(client, "aggregate", **query))["results"]
    return found["visits"]["value"], found["pageviews"]["value"]


async def test_what_was_entered_is_in_the_numbers_on_request_and_by_itself(
    client: httpx.AsyncClient,
) -> None:
    assert await both(client, period="7d") == (6, 11)
    assert await both(client, period="7d", opening="exclude") == (6, 11)
    assert await both(client, period="7d", opening="include") == (6 + 95, 11 + 190)
    assert await both(client, period="7d", opening="only") == (95, 190)
    # A year and a month are numbers by themselves, and so is the total, which is of no period.
    assert await both(client, period="year", date="2022-06-01", opening="only") == (
        1_000_000,
        2_000_000,
    )
    assert await both(client, period="month", date="2023-02-09", opening="include") == (60_000, 0)
    decade = {"period": "custom", "date": "2020-01-01,2024-01-03", "opening": "only"}
    assert await both(client, **decade) == (1_000_000 + 60_000 + 155, 2_000_000 + 310)


async def test_the_same_days_of_the_year_before_are_those_that_were_entered(
    client: httpx.AsyncClient,
) -> None:
    query = {"period": "month", "compare": "year_over_year"}
    found = await ask(client, "aggregate", **query)
    assert found["results"]["visits"]["change"] is None
    assert "not all of 2023-01-01 to 2023-01-03 was counted" in found["warnings"][0]
    found = await ask(client, "aggregate", **query, opening="include")
    # 4 + 2 measured and 50 + 5 entered, against 10 + 20 + 30 entered.
    assert found["results"]["visits"] == {"value": 61, "change": 2}
    assert "warnings" not in found
    # Of the days of a month that was entered as a whole, nothing is known.
    query = {"period": "custom", "date": "2024-01-01,2024-01-03", "opening": "include"}
    found = await ask(client, "aggregate", **query, compare="2023-02-01,2023-02-03")
    assert found["results"]["visits"]["change"] is None
    found = await ask(client, "aggregate", **query, compare="2023-02-01,2023-02-28")
    assert found["results"]["visits"]["change"] == -100


async def test_what_has_no_balances_has_no_change_from_days_that_were_only_entered(
    client: httpx.AsyncClient,
) -> None:
    query = {"period": "month", "compare": "year_over_year", "opening": "include"}
    others = ["visitors", "bots"]
    found = await ask(client, "aggregate", **query, metrics=",".join(["visits", *others]))
    assert found["results"]["visits"] == {"value": 61, "change": 2}
    assert [found["results"][name]["change"] for name in others] == [None] * 2
    (warning,) = found["warnings"]
    assert warning.startswith("visitors, bots: not all of 2023-01-01 to 2023-01-03 was counted")
    of_chart = "/admin/sites/mytho/csv/timeseries"
    csv = await client.get(of_chart, params={**query, "lang": "en"}, headers=ADMIN)
    heads, first, *_ = csv.text.splitlines()
    assert heads.endswith('"visits before","visitors before"')
    assert first.endswith('"2023-01-01",20,10,')


async def test_filtered_numbers_have_no_change_from_days_that_were_only_entered(
    client: httpx.AsyncClient,
) -> None:
    query = {"period": "month", "compare": "year_over_year", "opening": "include"}
    found = await ask(client, "aggregate", **query, filters="event:page==/nowhere")
    assert found["results"]["pageviews"] == {"value": 0, "change": None}
    assert "not all of 2023-01-01 to 2023-01-03 was counted" in found["warnings"][0]


async def test_rows_have_what_is_of_their_days_and_say_where_that_is_not_all(
    client: httpx.AsyncClient,
) -> None:
    query = {"period": "custom", "date": "2023-12-31,2024-01-03", "metrics": "visits"}
    days = await ask(client, "timeseries", **query, opening="include")
    assert [row["visits"] for row in days["results"]] == [40, 50, 7, 4]
    assert "warnings" not in days
    year = {"period": "year", "date": "2023-01-01", "metrics": "visits", "opening": "only"}
    months = await ask(client, "timeseries", **year)
    assert [row["visits"] for row in months["results"]] == [60, 60_000, *[0] * 9, 40]
    month = await ask(client, "timeseries", **year | {"interval": "date"})
    assert sum(row["visits"] for row in month["results"]) == 100
    assert "are in no shorter row" in month["warnings"][0]


async def test_top_pages_have_what_was_entered_of_their_days(client: httpx.AsyncClient) -> None:
    async def pages(**query: str) -> list[tuple[str, int]]:
        query = {"property": "event:page", "period": "7d", "metrics": "pageviews", **query}
        found = await ask(client, "breakdown", **query)
        return [(row["page"], row["pageviews"]) for row in found["results"]]

    measured = [("/", 4), ("/moi", 4), ("/tin", 3)]
    assert await pages() == measured
    whole = [("/cu", 70), ("/moi", 6), ("/", 4), ("/tin", 3)]
    assert await pages(opening="include") == whole
    assert await pages(opening="include", limit="1", page="2") == [("/moi", 6)]
    assert await pages(opening="include", limit="2", page="2") == whole[2:]
    assert await pages(opening="only") == [("/cu", 70), ("/moi", 2)]
    assert await pages(opening="include", filters="event:page!=/c*") == whole[1:]
    assert await pages(opening="include", filters="event:page==/m*|/tin") == [whole[1], whole[3]]


async def test_what_entered_numbers_cannot_say_is_said(client: httpx.AsyncClient) -> None:
    for route, query in {
        "aggregate": {"filters": "visit:country==VN"},
        "timeseries": {"period": "day", "interval": "hour"},
        "breakdown": {"property": "visit:source"},
    }.items():
        for how in ("include", "only"):
            found = await ask(client, route, **{"period": "7d", **query}, opening=how)
            assert "opening balances are not told apart like this" in found["warnings"][-1]
    for wrong, named in (
        ({"opening": "both"}, "opening"),
        ({"opening": "include", "metrics": "views_per_visit"}, "metrics"),
    ):
        query = {"site_id": "mytho", **wrong}
        refused = await client.get(f"{STATS}/aggregate", params=query, headers=ADMIN)
        assert (refused.status_code, list(refused.json()["errors"])) == (400, [named])


async def test_the_dashboard_shows_them_apart_and_includes_them_by_a_switch(
    client: httpx.AsyncClient,
) -> None:
    async def page(query: str) -> str:
        headers = {**ADMIN, "Accept": "text/html", "Accept-Language": "en"}
        found = await client.get(f"/admin/sites/mytho{query}", headers=headers)
        assert found.status_code == 200, found.text
        return found.text

    apart = await page("?period=7d")
    assert "not in the above: 95 visits, 190 views." in apart
    assert '<span class="value">6</span>' in apart
    (link,) = re.findall(r'href="/admin/sites/mytho(\?[^"]*opening=include)"', apart)
    whole = await page(html.unescape(link))
    assert "are included: 95 visits, 190 views." in whole
    assert '<span class="value">101</span>' in whole
    assert 'title="Filter by /cu"' in whole
    assert "opening=include" in re.findall(r'href="([^"]*)" download', whole)[0]
    only = await page("?period=7d&opening=only")
    assert '<span class="value">95</span>' in only
    compared = await page("?period=month&compare=year_over_year")
    assert "Not all days to compare with were counted" in compared
    compared = await page("?period=month&compare=year_over_year&opening=include")
    assert "Not all days to compare with were counted" not in compared
    assert "↑ 2%" in compared
    of_chart = "/admin/sites/mytho/csv/timeseries?period=month&compare=year_over_year&lang=en"
    csv = await client.get(f"{of_chart}&opening=include", headers=ADMIN)
    heads, *days = (line.split(",") for line in csv.text.splitlines())
    assert heads[4:7] == ['"date compared with"', '"pageviews before"', '"visits before"']
    assert [day[4:7] for day in days] == [
        ['"2023-01-01"', "20", "10"],
        ['"2023-01-02"', "40", "20"],
        ['"2023-01-03"', "60", "30"],
    ]
    csv = await client.get(of_chart, headers=ADMIN)
    assert len(csv.text.splitlines()[0].split(",")) == 4, "nobody measured these days"
    assert "old counter" not in await page("?period=7d&filters=event:page==/")
    assert "cannot be filtered" in await page("?period=day&opening=include")
    csv = await client.get("/admin/sites/mytho/csv/page?period=7d&opening=include", headers=ADMIN)
    assert csv.text.splitlines()[1].startswith('"/cu",70')
    for lang, columns in {
        "vi": '"Trang","Lượt xem","Lượt truy cập","Khách truy cập"',
        "en": '"page","pageviews","visits","visitors"',
    }.items():
        csv = await client.get(f"/admin/sites/mytho/csv/page?period=7d&lang={lang}", headers=ADMIN)
        assert csv.text.splitlines()[0] == f"\ufeff{columns}"
        csv = await client.get(f"/admin/sites/mytho/csv/timeseries?lang={lang}", headers=ADMIN)
        assert csv.status_code == 200, csv.text
