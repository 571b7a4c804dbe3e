"""What a site's page opens with: its own period, that of its group, or the last 30 days."""

import asyncio
import re
from datetime import date
from html import unescape
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.store.interface import Store
from tests.integration.api.people import ADMIN, audit
from tests.integration.api.world import TOKEN, write_counter

pytestmark = pytest.mark.asyncio(loop_scope="module")

HTML = {**ADMIN, "Accept": "text/html", "Accept-Language": "vi"}
THIRTY_DAYS, MONTH, REPORT_MONTH, QUARTER = "2023-12-05", "2024-01-01", "2023-12-15", "2024-01-01"
"""The first days of periods, seen on 3 January 2024."""


async def call(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    answer = await client.request(method, f"/api/admin{path}", json=body, headers=ADMIN)
    assert answer.is_success, answer.text
    return answer.json()


async def page(client: httpx.AsyncClient, path: str = "/admin/sites/mytho", **query: str) -> str:
    answer = await client.get(path, params=query or None, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def first_day(text: str) -> str:
    found = re.search(r'name="from" value="([\d-]+)"', text)
    assert found is not None
    return found[1]


@pytest.fixture(autouse=True)
async def _counted(store: Store) -> None:
    first = date(2024, 1, 1)
    for grain in ("day", "month", "year"):
        await write_counter(store, "mytho", grain, first, visits=1)


async def test_a_site_opens_with_its_own_period_else_with_that_of_its_groups(
    client: httpx.AsyncClient,
) -> None:
    assert first_day(await page(client)) == THIRTY_DAYS
    await call(client, "POST", "/groups", {"slug": "tinh", "default_period": "report_month"})
    await call(client, "POST", "/groups", {"slug": "xa", "parent": "tinh", "sites": ["mytho"]})
    assert first_day(await page(client)) == REPORT_MONTH
    changed = await call(client, "PATCH", "/groups/xa", {"default_period": "day"})
    assert changed["default_period"] == "day"
    assert first_day(await page(client)) == "2024-01-03"
    changed = await call(client, "PATCH", "/sites/mytho", {"default_period": "month"})
    assert changed["default_period"] == "month"
    assert first_day(await page(client)) == MONTH
    await call(client, "PATCH", "/sites/mytho", {"default_period": ""})
    await call(client, "PATCH", "/groups/xa", {"default_period": "", "parent": ""})
    assert first_day(await page(client)) == THIRTY_DAYS
    edited = (await audit(client, action="site.edit"))[-1]
    assert (edited["before"], edited["after"]) == (
        {"default_period": ""},
        {"default_period": "month"},
    )
    assert "Kỳ mặc định" in await page(client, "/admin/audit")
    assert "Tháng báo cáo (15–14)" in await page(client, "/admin/audit")


async def test_another_period_that_is_asked_for_stays_in_all_addresses(
    client: httpx.AsyncClient,
) -> None:
    period = {"default_period": "report_month", "public_dashboard": True}
    await call(client, "PATCH", "/sites/mytho", period)
    text = await page(client, period="30d")
    assert first_day(text) == THIRTY_DAYS
    assert "period=30d&amp;measure=visits" in text
    assert "period=30d&amp;compare=none" in text
    opened = await page(client)
    assert "/admin/sites/mytho?period=report_month" not in opened
    assert "/admin/sites/mytho?period=30d" in opened
    for path in ("/public/mytho", "/admin/sites/mytho"):
        answer = await client.get(path, headers={"Accept": "text/html"})
        assert first_day(answer.text) == REPORT_MONTH, path
    csv = await client.get("/admin/sites/mytho/csv/timeseries", headers=HTML)
    assert "2023-12-15" in csv.headers["content-disposition"]


async def test_links_to_other_pages_show_the_same_days_whatever_those_open_with(
    client: httpx.AsyncClient,
) -> None:
    await call(client, "POST", "/groups", {"slug": "mien", "public": True})
    new = {"slug": "vung", "parent": "mien", "default_period": "quarter", "sites": ["mytho"]}
    await call(client, "POST", "/groups", new)
    settings = {"default_period": "month", "public_dashboard": True}
    await call(client, "PATCH", "/sites/mytho", settings)
    seen = set()
    for start in ("/admin", "/admin/groups", "/admin/groups/mien", "/public/groups/mien"):
        for query in ({}, {"period": "report_month", "compare": "year_over_year"}):
            text = await page(client, start, **query)
            main = text.partition("<main")[2]
            links = {unescape(link) for link in re.findall(r'<a [^>]*href="([^"]+)"', main)}
            for link in links:
                path = link.partition("?")[0]
                if path == start or path.endswith((".csv", ".xlsx")):
                    continue
                shown = (await client.get(link, headers=HTML)).text
                if 'name="from"' in shown and not path.endswith("/report"):
                    assert first_day(shown) == first_day(text), (start, link)
                    compare = 'name="compare" value="year_over_year"'
                    assert (compare in shown) == bool(query), (start, link)
                    seen.add((start, path))
    assert {path for _, path in seen} == {
        *("/admin", "/admin/groups", "/admin/groups/mien", "/admin/groups/vung"),
        *("/admin/sites/mytho", "/public/mytho", "/public/groups/mien"),
    }
    # The report has the days that are shown, where it knows their period; and leads back to them.
    for home in ("/admin/sites/mytho", "/admin/groups/vung"):
        for period, first in (("report_month", REPORT_MONTH), ("month", MONTH)):
            text = await page(client, home, period=period)
            (link,) = re.findall(rf'href="({home}/report[^"]*)"', text)
            assert unescape(link) == f"{home}/report?period={period}&date={first}"
            report = await page(client, unescape(link))
            (back,) = re.findall(r'<a href="([^"]+)">←', report)
            assert first_day(await page(client, unescape(back))) == first
        rolling = await page(client, home, period="30d")
        assert f'href="{home}/report"' in rolling
    for group in ("vung", "mien"):
        await call(client, "PATCH", f"/groups/{group}", {"sites": []})
    await call(client, "PATCH", "/sites/mytho", {"default_period": "", "public_dashboard": False})


async def test_the_report_opens_with_it_where_it_is_a_period_of_reports(
    client: httpx.AsyncClient,
) -> None:
    for period, chosen in (("report_month", "report_month"), ("7d", "month"), ("", "month")):
        await call(client, "PATCH", "/sites/mytho", {"default_period": period})
        text = await page(client, "/admin/sites/mytho/report")
        assert f'<option value="{chosen}" selected>' in text, period


async def test_it_is_chosen_in_the_settings_of_the_site_and_told_when_it_is_none(
    client: httpx.AsyncClient,
) -> None:
    await call(
        client,
        "POST",
        "/groups",
        {"slug": "tinh", "sites": ["mytho"], "default_period": "report_quarter"},
    )
    text = await page(client, "/admin/sites/mytho/settings")
    assert "Theo nhóm (Quý báo cáo (15–14))" in text
    await call(client, "PATCH", "/sites/mytho", {"default_period": "report_year"})
    text = await page(client, "/admin/sites/mytho/settings")
    assert '<option value="report_year" selected>' in text
    for path in ("/sites/mytho", "/groups/tinh"):
        body = {"default_period": "fortnight"}
        answer = await client.patch(f"/api/admin{path}", json=body, headers=ADMIN)
        assert answer.status_code == 400
        assert "report_month" in answer.json()["errors"]["default_period"][0]


async def test_the_command_line_sets_it_for_sites_and_groups(client: httpx.AsyncClient) -> None:
    async def luot(*arguments: str) -> str:
        env = {"LUOT_URL": str(client.base_url), "LUOT_TOKEN": TOKEN, "COLUMNS": "200"}
        done = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=env)
        return str(done.output if done.exit_code == 0 else done.stderr)

    await luot("group", "add", "tinh", "--site", "mytho", "--default-period", "report_month")
    assert "report_month" in await luot("group", "list")
    assert first_day(await page(client)) == REPORT_MONTH
    await luot("site", "edit", "mytho", "--default-period", "quarter")
    assert first_day(await page(client)) == QUARTER
    await luot("site", "edit", "mytho", "--default-period", "")
    await luot("group", "edit", "tinh", "--default-period", "")
    assert first_day(await page(client)) == THIRTY_DAYS
    assert "report_month" in await luot("site", "edit", "mytho", "--default-period", "week")
