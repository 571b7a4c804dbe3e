"""Weeks of which a portal has no numbers are no zeros, wherever numbers are compared."""

import datetime
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from services.store.interface import Store
from tests.integration.api.people import ADMIN
from tests.integration.api.taken_back import at, count, view
from tests.integration.api.test_merged import add, later
from tests.integration.api.world import EITHER_STORE, Clock, write_balance

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

FIRST, LAST = datetime.date(2023, 10, 1), datetime.date(2024, 1, 2)
GAP = [datetime.date(2023, 11, day) for day in range(9, 27)]
"""No view of "thieu" on these days, one on each of the others."""
DECEMBER = {"period": "month", "date": "2023-12-01", "compare": "previous_period"}
NOVEMBER = {**DECEMBER, "date": "2023-11-01"}
NO_CHANGE = "Kỳ so sánh không có số liệu các ngày 9/11/2023 – 26/11/2023 nên không tính thay đổi."
NO_NUMBERS = "Không có số liệu các ngày 9/11/2023 – 26/11/2023"


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def sites(client: httpx.AsyncClient, store: Store, clock: Clock) -> None:
    """Two sites that are read once a day, of one of which eighteen days are missing."""
    days = [FIRST + datetime.timedelta(n) for n in range((LAST - FIRST).days + 1)]
    hits = []
    for slug in ("thieu", "du"):
        await add(client, slug, name=f"Xã {slug}")
        of_site = [day for day in days if slug == "du" or day not in GAP]
        hits += [msgspec.structs.replace(view("/", at("09:00", day)), site=slug) for day in of_site]
    await count(store, hits)
    later(clock)


async def said(client: httpx.AsyncClient, path: str, **query: str) -> Any:
    answer = await client.get(path, params=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def page(client: httpx.AsyncClient, path: str, **query: str) -> str:
    headers = {**ADMIN, "Accept": "text/html", "Accept-Language": "vi"}
    answer = await client.get(path, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_the_page_of_a_site_names_the_days_and_tells_no_change(
    client: httpx.AsyncClient,
) -> None:
    december = await page(client, "/admin/sites/thieu", **DECEMBER)
    assert NO_CHANGE in december
    assert 'class="change' not in december
    whole = await page(client, "/admin/sites/du", **DECEMBER)
    assert 'class="change' in whole
    assert "không có số liệu" not in whole.lower()
    # 12 views of 12 days that were counted, and not of 30.
    november = await page(client, "/admin/sites/thieu", **NOVEMBER)
    assert f"{NO_NUMBERS}; bình quân không tính những ngày này." in november
    assert "trung bình 1,0 mỗi ngày" in november
    assert 'class="change' in november


async def test_what_was_entered_fills_what_it_stands_for(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await write_balance(store, "thieu", "november", "month", datetime.date(2023, 11, 1), 300)
    later(clock)
    apart = await page(client, "/admin/sites/thieu", **DECEMBER)
    assert NO_CHANGE in apart
    included = await page(client, "/admin/sites/thieu", **DECEMBER, opening="include")
    assert NO_CHANGE not in included
    assert 'class="change' in included


async def test_what_was_entered_fills_nothing_of_visitors(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    for slug in ("thieu", "du"):
        await write_balance(store, slug, "november", "month", datetime.date(2023, 11, 1), 300)
    later(clock)
    december = {**DECEMBER, "opening": "include"}
    shown = await page(client, "/admin/sites/thieu", **december)
    # Of views and visits; the days of visitors, bots and lengths of visits were not counted.
    assert shown.count('class="change') == 2
    query = {**december, "site_id": "thieu", "metrics": "visits,visitors,bounce_rate"}
    answer = await said(client, "/api/v1/stats/aggregate", **query)
    changes = {name: one["change"] for name, one in answer["results"].items()}
    assert changes == {"visits": -90, "visitors": None, "bounce_rate": None}

    table = await said(client, "/api/v1/table", **december, sort="name")
    of = {row["site"]: row for row in table["sites"]}
    for row in (of["thieu"], table["sum"]):
        assert row["change"]["pageviews"] is not None
        assert (row["before"]["visitors"], row["change"]["visitors"]) == (None, None)
    assert (of["du"]["before"]["visitors"], of["du"]["change"]["visitors"]) == (30, 3)
    body = {"slug": "tinh", "name": "Tỉnh", "sites": ["thieu", "du"]}
    await client.post("/api/admin/groups", json=body, headers=ADMIN)
    months = {"period": "month", "opening": "include"}
    for of_report in ("reports/thieu", "groups/tinh/report"):
        path = f"/api/v1/{of_report}"
        report = await said(client, path, **months, date="2023-12-01")
        figures = {figure["measure"]: figure for figure in report["figures"]}
        assert figures["pageviews"]["change"] is not None
        assert (figures["visitors"]["before"], figures["visitors"]["change"]) == (None, None)
    # 12 visitors of 12 counted days, and 3,012 views of 30 days.
    november = await said(client, "/api/v1/reports/thieu", **months, date="2023-11-01")
    means = {figure["measure"]: figure["per_day"] for figure in november["figures"]}
    assert (means["pageviews"], means["visitors"], november["known_days"]) == (100.4, 1, 30)
    shown = await page(client, "/admin/sites/thieu", **december | {"date": "2023-11-01"})
    assert "trung bình 100 mỗi ngày" in shown
    assert "trung bình 1,0 mỗi ngày" in shown


async def test_the_table_the_stats_api_and_all_rows_tell_no_change(
    client: httpx.AsyncClient,
) -> None:
    found = await said(client, "/api/v1/table", **DECEMBER, sort="name")
    of = {row["site"]: row for row in found["sites"]}
    assert (of["thieu"]["before"], of["thieu"]["change"]["pageviews"]) == (None, None)
    assert of["thieu"]["counted_since"] == "2023-10-01"
    assert (of["du"]["before"]["pageviews"], of["du"]["change"]["pageviews"]) == (30, 3)
    assert NO_CHANGE in await page(client, "/admin", **DECEMBER)

    query = {**DECEMBER, "site_id": "thieu", "metrics": "pageviews"}
    answer = await client.get("/api/v1/stats/aggregate", params=query, headers=ADMIN)
    assert answer.json()["results"]["pageviews"] == {"value": 31, "change": None}
    assert "no view from 2023-11-09 to 2023-11-26" in answer.text

    for slug, is_compared in (("thieu", False), ("du", True)):
        rows = await page(client, f"/admin/sites/{slug}/all/page", **DECEMBER)
        assert ('class="change' in rows) is is_compared
        lines = await client.get(
            f"/admin/sites/{slug}/csv/timeseries", params={**DECEMBER, "lang": "vi"}, headers=ADMIN
        )
        assert ("kỳ so sánh" in lines.text.splitlines()[0]) is is_compared


async def test_reports_name_the_days_and_tell_no_change(client: httpx.AsyncClient) -> None:
    month = {"period": "month", "date": "2023-12-01"}
    one = await said(client, "/api/v1/reports/thieu", **month)
    assert one["uncounted"] == [{"first": "2023-11-09", "last": "2023-11-26"}]
    views = next(figure for figure in one["figures"] if figure["measure"] == "pageviews")
    assert (views["value"], views["before"], views["per_day"]) == (31, None, 1)
    body = {"slug": "tinh", "name": "Tỉnh", "sites": ["thieu", "du"]}
    made = await client.post("/api/admin/groups", json=body, headers=ADMIN)
    assert made.status_code == 201, made.text
    both = await said(client, "/api/v1/groups/tinh/report", **month)
    (compared,) = (each for each in both["compared"] if each["against"] == "before")
    assert (compared["sites"], compared["left_out"]) == (1, 1)
    assert both["uncounted"] == []
    shown = await page(client, "/admin/sites/thieu/report", **month)
    assert NO_NUMBERS in shown
    month["date"] = "2023-11-01"
    november = await said(client, "/api/v1/reports/thieu", **month)
    assert (november["known_days"], november["uncounted"][0]["last"]) == (12, "2023-11-26")
