"""Reports say what an independent computation says, as JSON, as a page and as a workbook."""

import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import httpx
import openpyxl
import pytest
import pytest_asyncio
from msgspec import structs
from openpyxl.utils.escape import unescape

from services.api.app import Api
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import StatsResult
from services.api.stats.reports import queries_group
from services.http.errors import unavailable
from services.model.calendar import day_start_ms, to_date, to_day
from services.model.page_aliases import PageAlias
from services.store.interface import Store
from tests.integration.api import changes
from tests.integration.api.world import serving, write_counter
from tests.integration.stats.expected import Seen, grouped, measures

pytestmark = pytest.mark.asyncio(loop_scope="module")

SITE = "portal-1"
TODAY = "2024-12-31"
COUNTED = ("pageviews", "visits", "visitors")

World = dict[str, list[Seen]]


async def report(client: httpx.AsyncClient, site: str = SITE, **query: str) -> Any:
    answer = await client.get(f"/api/v1/reports/{site}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def of_days(seen: list[Seen], first: str, last: str) -> list[Seen]:
    days = range(to_day(date.fromisoformat(first)), to_day(date.fromisoformat(last)) + 1)
    return [each for each in seen if each.hit.day in days]


PERIODS = [
    # period, date, its days, those before, those of the year before
    ("month", "2024-02-10", "2024-02-01 2024-02-29 2024-01-01 2024-01-31 2023-02-01 2023-02-28"),
    ("month", "2024-03-31", "2024-03-01 2024-03-31 2024-02-01 2024-02-29 2023-03-01 2023-03-31"),
    ("quarter", "2024-04-01", "2024-04-01 2024-06-30 2024-01-01 2024-03-31 2023-04-01 2023-06-30"),
    ("half", "2024-09-01", "2024-07-01 2024-12-31 2024-01-01 2024-06-30 2023-07-01 2023-12-31"),
    ("year", "2023-09-01", "2023-01-01 2023-12-31 2022-01-01 2022-12-31 2022-01-01 2022-12-31"),
    (
        "nine_months",
        "2024-05-01",
        "2024-01-01 2024-09-30 2023-01-01 2023-09-30 2023-01-01 2023-09-30",
    ),
    (
        "report_month",
        "2024-03-14",
        "2024-02-15 2024-03-14 2024-01-15 2024-02-14 2023-02-15 2023-03-14",
    ),
    (
        "report_quarter",
        "2024-03-14",
        "2023-12-15 2024-03-14 2023-09-15 2023-12-14 2022-12-15 2023-03-14",
    ),
    (
        "custom",
        "2024-05-04,2024-05-13",
        "2024-05-04 2024-05-13 2024-04-24 2024-05-03 2023-05-04 2023-05-13",
    ),
]


@pytest.mark.parametrize(("period", "day", "days"), PERIODS)
async def test_a_report_says_what_an_independent_computation_says(
    client: httpx.AsyncClient, seen: World, period: str, day: str, days: str
) -> None:
    first, last, before_first, before_last, year_first, year_last = days.split()
    said = await report(client, period=period, date=day)
    assert said["days"] == {"first": first, "last": last}
    assert said["before"] == {"first": before_first, "last": before_last}
    assert said["year_before"] == {"first": year_first, "last": year_last}
    now = of_days(seen[SITE], first, last)
    counted = measures(now)
    before = measures(of_days(seen[SITE], before_first, before_last))
    year = measures(of_days(seen[SITE], year_first, year_last))
    figures = {one["measure"]: one for one in said["figures"]}
    assert list(figures) == [*COUNTED, "downloads"]
    for name in COUNTED:
        of, was, long_ago = counted[name] or 0, before[name] or 1, year[name] or 1
        assert figures[name]["value"] == of
        assert (figures[name]["before"], figures[name]["year_before"]) == (was, long_ago)
        assert figures[name]["change"] == round(100 * (of - was) / was, 2)
        assert figures[name]["year_change"] == round(100 * (of - long_ago) / long_ago, 2)
        length = to_day(date.fromisoformat(last)) - to_day(date.fromisoformat(first)) + 1
        # Today, 31 December, is not over: it is in no mean.
        running = of_days(now, TODAY, TODAY)
        over = of - int(measures(running)[name] or 0)
        mean = round(over / (length - (last == TODAY)), 2)
        assert figures[name]["per_day"] == mean
        assert sum(row[name] for row in said["by_day"]) == of
        assert sum(row[name] for row in said["by_month"]) == of
    by_day = grouped(now, lambda hit: to_date(hit.day).isoformat())
    for row in said["by_day"]:
        expected = by_day.get(row["date"], measures([]))
        assert row == {"date": row["date"], **{name: expected[name] for name in COUNTED}}
    pages = grouped(now, lambda hit: hit.path, of_pages=True)
    listed = {row["name"]: row["count"] for row in said["pages"]["rows"]}
    assert listed == {path: of["pageviews"] for path, of in pages.items() if of["pageviews"]}
    devices = grouped(now, lambda hit: hit.device)
    listed = {row["name"]: row["count"] for row in said["devices"]["rows"]}
    assert listed.get("mobile", 0) == devices.get("mobile", measures([]))["visits"]


async def test_a_report_says_the_same_as_the_stats_api(client: httpx.AsyncClient) -> None:
    said = await report(client, period="quarter", date="2024-05-01")
    for compare, field in (("previous_period", "change"), ("year_over_year", "year_change")):
        query = {
            "site_id": SITE,
            "period": "quarter",
            "date": "2024-05-01",
            "metrics": ",".join(COUNTED),
            "compare": compare,
        }
        answer = await client.get("/api/v1/stats/aggregate", params=query)
        results = answer.json()["results"]
        for one in said["figures"][:3]:
            assert one["value"] == results[one["measure"]]["value"]
            assert one[field] == pytest.approx(results[one["measure"]]["change"], abs=0.51)


async def test_a_running_day_is_in_no_mean_and_page_and_report_have_the_same_one(
    client: httpx.AsyncClient, group: str, seen: World
) -> None:
    month = {"period": "month", "date": TODAY}
    said = await report(client, **month)
    assert (said["is_running"], said["at"][:16]) == (True, "2024-12-31T12:30")
    (views, *_) = said["figures"]
    over = of_days(seen[SITE], "2024-12-01", "2024-12-30")
    assert views["per_day"] == round(int(measures(over)["pageviews"] or 0) / 30, 2)
    english = {"Accept": "text/html", "Accept-Language": "en"}
    page = (await client.get(f"/admin/sites/{SITE}", params=month, headers=english)).text
    (shown, *_) = re.findall(r"([\d.,]+) a day on average, without today", page)
    mean = views["per_day"]
    assert shown == (f"{round(mean, 1):,}" if mean < 10 else f"{round(mean):,}")
    assert "today is not over" in page
    printed = (await client.get(f"/admin/sites/{SITE}/report", params=month, headers=english)).text
    assert "The numbers are up to 31 Dec 2024 12:30: 31 Dec 2024 is not over" in printed
    of_group = await group_report(client, group, **month)
    single = [await report(client, site, **month) for site in OF_GROUP]
    for place, one in enumerate(of_group["figures"]):
        each = sum(of["figures"][place]["per_day"] for of in single)
        assert one["per_day"] == pytest.approx(each, abs=0.03), one["measure"]
    # A month that is over has its mean of all of its days, on both.
    page = (
        await client.get(
            f"/admin/sites/{SITE}", params=month | {"date": "2024-11-02"}, headers=english
        )
    ).text
    assert "a day on average<" in page
    assert "today is not over" not in page


async def test_there_is_no_change_from_a_time_that_was_not_counted(
    client: httpx.AsyncClient,
) -> None:
    said = await report(client, period="year", date="2022-05-01")
    assert {one["before"] for one in said["figures"]} == {None}
    assert {one["year_change"] for one in said["figures"]} == {None}
    assert said["counted_since"] == "2022-01-01"
    page = await client.get(
        f"/admin/sites/{SITE}/report",
        params={"period": "year", "date": "2022-05-01", "lang": "en"},
        headers={"Accept": "text/html"},
    )
    assert "Measured since 1 Jan 2022" in page.text
    assert "Not all of the period before" in page.text


async def test_anybody_reads_the_report_of_a_public_dashboard_without_its_hidden_pages(
    api: Api, client: httpx.AsyncClient
) -> None:
    site = api.registry.get("howe")
    assert site is not None
    address = "/api/v1/reports/howe"
    query = {"period": "year", "date": "2024-03-01"}
    nobody = {"Authorization": ""}
    answer = await client.get(address, params=query, headers=nobody)
    assert answer.status_code == 401
    assert (await client.get("/api/v1/reports/nobody", headers=nobody)).status_code == 401
    assert (await client.get("/api/v1/reports/nobody")).status_code == 404
    public = structs.replace(site, public_dashboard=True, hidden_pages=("/l",))
    await changes.save(api, public)
    try:
        theirs = (await client.get(address, params=query)).json()
        answer = await client.get(address, params=query, headers=nobody)
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert shown["figures"] == theirs["figures"]
        pages = {
            name: [row["name"] for row in of["pages"]["rows"]]
            for name, of in (("theirs", theirs), ("shown", shown))
        }
        assert "/l" in pages["theirs"]
        assert pages["shown"][:3] == [name for name in pages["theirs"] if name != "/l"][:3]
        assert "/l" not in pages["shown"]
        wrong = await client.get(address, params={"perod": "year"}, headers=nobody)
        assert list(wrong.json()["errors"]) == ["perod"]
    finally:
        await changes.save(api, site)


async def test_without_a_date_it_is_the_last_period_that_is_over(
    client: httpx.AsyncClient,
) -> None:
    # It is 31 December 2024.
    assert (await report(client))["days"] == {"first": "2024-11-01", "last": "2024-11-30"}
    said = await report(client, period="report_month")
    assert said["days"] == {"first": "2024-11-15", "last": "2024-12-14"}
    said = await report(client, period="nine_months")
    assert said["days"] == {"first": "2024-01-01", "last": "2024-09-30"}
    said = await report(client, period="report_year", date="2025-01-10")
    assert (said["until"], said["days"]["last"]) == ("2024-12-31", "2025-12-14")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"period": "7d"}, "period"),
        ({"period": "month", "date": "yesterday"}, "date"),
        ({"period": "custom"}, "date"),
        ({"period": "custom", "date": "2024-02-01,2024-01-01"}, "date"),
        ({"opening": "perhaps"}, "opening"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx.AsyncClient, query: dict[str, str], named: str
) -> None:
    answer = await client.get(f"/api/v1/reports/{SITE}", params=query)
    assert answer.status_code == 400
    assert named in answer.text
    page = await client.get(f"/admin/sites/{SITE}/report", params=query)
    assert page.status_code == 400
    assert (await client.get("/api/v1/reports/nowhere")).status_code == 404


async def test_the_workbook_and_the_page_say_the_same(client: httpx.AsyncClient) -> None:
    query = {"period": "quarter", "date": "2024-02-01"}
    said = await report(client, **query)
    answer = await client.get(f"/admin/sites/{SITE}/report.xlsx", params={**query, "lang": "vi"})
    assert answer.status_code == 200, answer.text
    name = f"{SITE}-report-2024-01-01-to-2024-03-31.xlsx"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames[:3] == ["Tổng hợp", "Theo ngày", "Theo tháng"]
    assert len(book.sheetnames) == 7
    summary = book["Tổng hợp"]
    assert "quý I/2024" in summary["A1"].value
    page = await client.get(
        f"/admin/sites/{SITE}/report",
        params={**query, "lang": "vi"},
        headers={"Accept": "text/html"},
    )
    for line, one in enumerate(said["figures"], 4):
        assert summary.cell(line, 2).value == one["value"]
        assert summary.cell(line, 5).value == one["before"]
        change = one["change"]
        assert summary.cell(line, 6).value == (
            None if change is None else pytest.approx(change / 100)
        )
        text = "–" if change is None else f"{abs(change):.2f}".rstrip("0").rstrip(".")
        assert text.replace(".", ",") in page.text
        assert f"<strong>{one['value']:,}".replace(",", ".") in page.text
    by_day = book["Theo ngày"]
    for line, row in enumerate(said["by_day"], 4):
        assert by_day.cell(line, 1).value.date().isoformat() == row["date"]
        assert by_day.cell(line, 2).value == row["pageviews"]
        assert by_day.cell(line, 1).is_date
    pages = book["Trang xem nhiều"]
    for line, row in enumerate(said["pages"]["rows"], 4):
        assert pages.cell(line, 1).data_type == "s"
        assert pages.cell(line, 2).value == row["count"]


@pytest.mark.parametrize("home", ["sites/portal-1", "groups/tinh"])
async def test_a_shorter_period_is_chosen_from_the_report_of_one_that_runs(
    client: httpx.AsyncClient, group: str, home: str
) -> None:
    address, html = f"/admin/{home}/report", {"Accept": "text/html"}
    for period in ("report_year", "year", "month"):
        query = {"period": period, "date": TODAY}
        page = (await client.get(address, params=query, headers=html)).text
        (day,) = re.findall(r'<input type="date" name="date" value="([^"]*)">', page)
        assert day == TODAY
        for shorter in ("month", "report_month"):
            answer = await client.get(
                address, params={"period": shorter, "date": day}, headers=html
            )
            assert answer.status_code == 200, (period, shorter)


OF_GROUP = ("portal-1", "portal-2", "portal-3", "newyork", "portal-7")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def group(client: httpx.AsyncClient) -> str:
    """A group of sites in two zones, some of them in a group below it."""
    for slug, parent, sites in (("tinh", "", OF_GROUP[:3]), ("xa", "tinh", OF_GROUP[2:])):
        new = {"slug": slug, "name": f"UBND {slug}", "parent": parent, "sites": list(sites)}
        answer = await client.post("/api/admin/groups", json=new)
        assert answer.status_code == 201, answer.text
    return "tinh"


async def group_report(client: httpx.AsyncClient, group: str, **query: str) -> Any:
    answer = await client.get(f"/api/v1/groups/{group}/report", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def added_up(reports: list[Any], of: Callable[[Any], dict[Any, int]]) -> dict[Any, int]:
    total: Counter[Any] = Counter()
    for one in reports:
        total.update(of(one))
    return dict(total)


async def sum_of_reports(
    client: httpx.AsyncClient, said: Any, sites: Sequence[str], **query: str
) -> None:
    """Compare a report of a group with the reports of its sites."""
    single = [await report(client, site, **query) for site in sites]
    for place, figure in enumerate(said["figures"]):
        of_sites = [one["figures"][place] for one in single]
        assert figure["value"] == sum(one["value"] for one in of_sites)
        for name in ("before", "year_before"):
            known = [one[name] for one in of_sites]
            assert figure[name] == (None if None in known else sum(known))
    for name in ("by_day", "by_month"):
        for measure in COUNTED:

            def of(one: Any, name: str = name, measure: str = measure) -> dict[Any, int]:
                return {row["date"]: row[measure] for row in one[name]}

            assert of(said) == added_up(single, of)
    rows = {row["slug"]: row for row in said["sites"]}
    assert list(rows) == sorted(sites)
    for one in single:
        (of_site,) = one["sites"]
        assert rows[of_site["slug"]] == of_site
    pages = [
        (row["count"], one["sites"][0]["slug"], row["name"])
        for one in single
        for row in one["pages"]["rows"]
    ]
    listed = [(row["count"], row["site"], row["name"]) for row in said["pages"]["rows"]]
    assert listed == sorted(pages, key=lambda row: (-row[0], *row[1:]))[:20]
    for name in ("sources", "devices"):

        def counts(one: Any, name: str = name) -> dict[Any, int]:
            return {row["name"]: row["count"] for row in one[name]["rows"]}

        assert counts(said) == added_up(single, counts)
    assert said["opening"]["views"] == sum(one["opening"]["views"] for one in single)
    assert said["opening"]["visits"] == sum(one["opening"]["visits"] for one in single)


async def test_the_report_of_a_group_is_the_sum_of_the_reports_of_its_sites(
    client: httpx.AsyncClient, group: str
) -> None:
    for query in (
        {"period": "report_month", "date": "2024-03-14"},
        {"period": "year", "date": "2023-01-01"},
        {"period": "year", "date": "2024-01-01"},
    ):
        said = await group_report(client, group, **query)
        assert said["group"] == {"slug": "tinh", "name": "UBND tinh"}
        await sum_of_reports(client, said, OF_GROUP, **query)


async def test_the_workbook_and_the_page_of_a_group_have_its_sites(
    client: httpx.AsyncClient, group: str
) -> None:
    query = {"period": "quarter", "date": "2024-02-01"}
    said = await group_report(client, group, **query)
    answer = await client.get(f"/admin/groups/{group}/report.xlsx", params={**query, "lang": "vi"})
    assert answer.status_code == 200, answer.text
    assert "tinh-report-2024-01-01-to-2024-03-31.xlsx" in answer.headers["content-disposition"]
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    sites = book["Theo trang web"]
    rows = {row[2]: row for row in sites.iter_rows(min_row=4, values_only=True)}
    assert len(rows) == len(OF_GROUP)
    for one in said["sites"]:
        row = rows[one["slug"]]
        changes = [
            None if one[name] is None else pytest.approx(one[name] / 100)
            for name in ("pageviews_change", "visits_change")
        ]
        assert (row[3], row[6], row[9]) == (one["pageviews"], one["visits"], one["visitors"])
        assert [row[4], row[7]] == changes
    assert [row[0] for row in rows.values()] == list(range(1, len(OF_GROUP) + 1))
    assert sum(row[3] for row in rows.values()) == said["figures"][0]["value"]
    page = await client.get(
        f"/admin/groups/{group}/report",
        params={**query, "lang": "vi"},
        headers={"Accept": "text/html"},
    )
    assert "UBND tinh" in page.text
    assert "Tổng của 5 trang web" in page.text
    for one in said["sites"]:
        assert f">{one['name']}</th><td>{one['pageviews']:,}".replace(",", ".") in page.text


async def test_a_group_is_read_by_those_who_have_all_of_its_sites(
    client: httpx.AsyncClient, api: Api, group: str
) -> None:
    for sites, status in ((OF_GROUP, 200), (OF_GROUP[1:], 403), (["howe"], 404)):
        new = {"role": "viewer", "sites": list(sites)}
        made = (await client.post("/api/admin/tokens", json=new)).json()
        async with serving(api.asgi) as other:
            other.headers["Authorization"] = f"Bearer {made['token']}"
            for path in (f"/api/v1/groups/{group}/report", f"/admin/groups/{group}/report"):
                assert (await other.get(path)).status_code == status
        await client.delete(f"/api/admin/tokens/{made['id']}")
    await client.post("/api/admin/groups", json={"slug": "trong"})
    in_words = {"Accept": "text/html", "Accept-Language": "vi"}
    empty = await client.get("/admin/groups/trong/report", headers=in_words)
    assert empty.status_code == 409
    assert "chưa có trang web nào" in empty.text


@pytest.mark.parametrize("of", ["sites/portal-1", "groups/tinh"])
async def test_a_link_shows_one_report_until_it_is_withdrawn(
    client: httpx.AsyncClient, api: Api, group: str, of: str
) -> None:
    home = f"/admin/{of}/sharing"
    form = {"name": "Sở TT&TT", "period": "report_month", "opening": "exclude"}
    made = await client.post(home, data={**form, "lang": "en"}, params={"lang": "en"})
    assert made.status_code == 200, made.text
    path = made.text.partition("<code>")[2].partition("</code>")[0].partition("/share/")[2]
    path = f"/share/{path}"
    assert path.endswith("/report")
    secret = path.split("/")[2]
    listed = (await client.get(home, params={"lang": "en"})).text
    assert "Report: Month (15th–14th), the last that is over" in listed
    assert secret not in listed
    query = {"period": "report_month"}
    said = await (
        report(client, **query) if of.startswith("sites") else group_report(client, group, **query)
    )
    async with serving(api.asgi) as stranger:
        page = await stranger.get(path, params={"lang": "en"}, headers={"Accept": "text/html"})
        assert page.status_code == 200, page.text
        assert f"<strong>{said['figures'][0]['value']:,}</strong>" in page.text
        assert "/admin/" not in page.text.replace("/admin/static/", "")
        book = await stranger.get(f"{path}.xlsx")
        assert book.content[:2] == b"PK"
        other = await stranger.get(path, params={"period": "year", "date": "2022-01-01"})
        assert "15 Nov 2024" in other.text or "15/11/2024" in other.text, "it shows one report"
        for closed in (f"/share/{secret}", f"/share/{secret}/csv/page", f"/admin/{of}/report"):
            assert (await stranger.get(closed)).status_code in (401, 404), closed
        id_ = listed.partition(f"{home}/")[2].partition("/withdraw")[0]
        assert (await client.post(f"{home}/{id_}/withdraw", data={"a": ""})).status_code == 303
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.get(f"{path}.xlsx")).status_code == 404
    refused = await client.post(home, data={**form, "date": "2024-13-01"}, params={"lang": "vi"})
    assert refused.status_code == 400
    entries = (await client.get("/api/admin/audit")).json()["entries"]
    assert [one["action"] for one in entries[:2]] == ["share.withdraw", "share.add"]
    assert secret not in str(entries)


@pytest.mark.parametrize("of", ["sites/portal-1", "groups/tinh"])
@pytest.mark.parametrize(
    ("period", "dates", "shown"),
    [
        ("quarter", "2023-05-10", "Quarter, that of 10 May 2023"),
        ("custom", "2023-05-10,2023-06-11", "Custom, that of 10 May 2023 – 11 Jun 2023"),
    ],
)
async def test_pages_about_a_report_keep_its_period(
    client: httpx.AsyncClient, group: str, of: str, period: str, dates: str, shown: str
) -> None:
    home, asked = f"/admin/{of}", f"?period={period}&amp;date={dates}&amp;opening=include"

    async def opened(address: str) -> str:
        answer = await client.get(
            address.replace("&amp;", "&"), headers={"Accept": "text/html", "Accept-Language": "en"}
        )
        assert answer.status_code == 200, answer.text
        return answer.text

    report_page = await opened(f"{home}/report{asked}")
    for below in (f"{home}/sharing", f"{home}/report/mail"):
        assert f'href="{below}{asked}"' in report_page
        page = await opened(f"{below}{asked}")
        assert f'href="{home}/report{asked}"' in page, "and back"
        assert '<option value="include" selected>' in page
        # Dates of one's own do not come again, so nothing is sent of them.
        is_offered = period != "custom" or below.endswith("sharing")
        assert (f'<option value="{period}" selected>' in page) is is_offered
    shared = {"name": "Sở", "period": period, "date": dates, "opening": "include"}
    made = await client.post(f"{home}/sharing{asked.replace('&amp;', '&')}", data=shared)
    assert made.status_code == 200, made.text
    listed = await client.get(f"{home}/sharing", params={"lang": "en"})
    assert shown in listed.text


async def test_what_was_taken_back_merged_and_brought_along_is_in_the_sum_once(
    client: httpx.AsyncClient, group: str
) -> None:
    async def done(way: str, json: dict[str, Any]) -> Any:
        answer = await client.post(f"/api/admin/sites/{way}", json=json)
        assert answer.is_success, answer.text
        return answer.json()

    spam = {"from": "2024-02-01T00:00", "to": "2024-06-01T00:00", "filters": "event:page==/l"}
    found = await done("portal-1/corrections/preview", spam)
    made = {name: found[name] for name in ("id", "query", "up_to", "views")}
    await done("portal-1/corrections", {**made, "reason": "lượt truy cập giả"})
    for site, entry in (
        ("portal-2", {"grain": "month", "start": "2024-03-01", "views": 5000, "visits": 400}),
        ("portal-3", {"grain": "day", "start": "2024-03-02", "views": 700, "path": "/cu.html"}),
        ("newyork", {"grain": "month", "start": "2023-03-01", "views": 90, "visits": 9}),
    ):
        entries = [{"id": f"cu-{site}", "reason": "bộ đếm cũ", **entry}]
        await done(f"{site}/balances", {"entries": entries})
    await done("portal-7/merge", {"into": "portal-2"})
    once = [site for site in OF_GROUP if site != "portal-7"]
    for opening in ("exclude", "include", "only"):
        query = {"period": "month", "date": "2024-03-01", "opening": opening}
        said = await group_report(client, group, **query)
        assert {row["slug"] for row in said["sites"]} == set(OF_GROUP)
        said["sites"] = [row for row in said["sites"] if row["slug"] != "portal-7"]
        await sum_of_reports(client, said, once, **query)


async def test_a_site_that_cannot_be_read_now_is_not_told_as_gone(
    api: Api, client: httpx.AsyncClient, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = api.registry.get("portal-3")
    assert site is not None
    await changes.save(api, structs.replace(site, page_aliases=(PageAlias("/cu", "/moi"),)))
    read = StatsReader.breakdown

    async def busy(self: StatsReader, query: StatsQuery, breakdown: BreakdownQuery) -> StatsResult:
        if query.site.slug == "portal-3":
            raise unavailable("too many queries are under way")
        return await read(self, query, breakdown)

    monkeypatch.setattr(StatsReader, "breakdown", busy)
    query = {"period": "month", "date": "2024-05-01"}
    try:
        pages = (await group_report(client, group, **query))["pages"]
        assert pages["rows"]
        assert "portal-3" not in {row["site"] for row in pages["rows"]}
        assert "too many queries are under way" in pages["problem"]
        assert (pages["partial"], pages["gone"]) == (False, False)
        in_english = {**query, "lang": "en"}
        page = await client.get(f"/admin/groups/{group}/report", params=in_english)
        assert "Rows of some sites are missing" in page.text
        assert "Details since" not in page.text
    finally:
        await changes.save(api, site)


async def test_pages_have_their_titles_on_the_page_in_the_workbook_and_for_programs(
    client: httpx.AsyncClient, group: str
) -> None:
    query = {"period": "quarter", "date": "2024-02-01"}
    rows = (await group_report(client, group, **query))["pages"]["rows"]
    assert {row["title"] for row in rows} == {""}
    # Two sites may have the same path: each has its own title.
    one = rows[0]
    title = {"path": one["name"], "title": f"=Tin <{one['site']}>"}
    titles = f"/api/admin/sites/{one['site']}/titles"
    assert (await client.put(titles, json=title)).status_code == 200
    try:
        said = (await group_report(client, group, **query))["pages"]["rows"]
        assert [row["title"] for row in said] == [title["title"], *[""] * (len(said) - 1)]
        of_site = (await report(client, one["site"], **query))["pages"]["rows"]
        assert {row["name"]: row["title"] for row in of_site if row["title"]} == {
            title["path"]: title["title"]
        }
        for home, columns in ((f"groups/{group}", 2), (f"sites/{one['site']}", 1)):
            shown = {**query, "lang": "vi"}
            answer = await client.get(f"/admin/{home}/report.xlsx", params=shown)
            sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["Trang xem nhiều"]
            assert [cell.value for cell in sheet[3]][columns - 1 : columns + 1] == [
                "Trang",
                "Tiêu đề",
            ]
            cell = sheet.cell(4, columns + 1)
            assert (sheet.cell(4, columns).value, cell.value) == tuple(title.values())
            assert cell.data_type == "s"
            html = {"Accept": "text/html"}
            page = await client.get(f"/admin/{home}/report", params=shown, headers=html)
            assert f"=Tin &lt;{one['site']}&gt;</span>" in page.text
    finally:
        await client.delete(titles, params={"path": one["name"]})


async def test_what_no_xml_may_hold_keeps_no_workbook_away(client: httpx.AsyncClient) -> None:
    query = {"period": "quarter", "date": "2024-02-01"}
    path = (await report(client, **query))["pages"]["rows"][0]["name"]
    titles = f"/api/admin/sites/{SITE}/titles"
    title = {"path": path, "title": "Tin\uffff_x0020_mới"}
    assert (await client.put(titles, json=title)).status_code == 200
    try:
        shown = {**query, "lang": "vi"}
        answer = await client.get(f"/admin/sites/{SITE}/report.xlsx", params=shown)
        assert answer.status_code == 200, answer.text
        sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["Trang xem nhiều"]
        assert unescape(sheet.cell(4, 2).value) == "Tin_x0020_mới"
    finally:
        await client.delete(titles, params={"path": path})


async def test_programs_make_and_withdraw_links_to_reports_of_a_group(
    client: httpx.AsyncClient, group: str
) -> None:
    shares = f"/api/admin/groups/{group}/shares"
    for wrong, field in (
        ({"name": "Sở"}, "report"),
        ({"name": "Sở", "report": None}, "report"),
        ({"name": "Sở", "report": {"period": "week"}}, "period"),
        ({"name": "", "report": {"period": "month"}}, "name"),
    ):
        refused = await client.post(shares, json=wrong)
        assert refused.status_code == 400, wrong
        assert field in refused.json()["errors"], refused.text
    before = (await client.get(shares)).json()["shares"]
    new = {"name": "Sở TT&TT", "report": {"period": "month", "date": "2024-03-01"}}
    made = await client.post(shares, json=new)
    assert made.status_code == 201, made.text
    one = made.json()
    assert one["report"] == {"period": "month", "date": "2024-03-01", "opening": "exclude"}
    (listed,) = [each for each in (await client.get(shares)).json()["shares"] if each not in before]
    assert listed == {name: value for name, value in one.items() if name != "path"}
    html = {"Accept": "text/html", "Accept-Language": "vi", "Authorization": ""}
    shown = await client.get(one["path"], headers=html)
    assert "Tổng của 5 trang web" in shown.text
    assert (await client.delete(f"{shares}/none")).status_code == 404
    assert (await client.delete(f"{shares}/{one['id']}")).status_code == 204
    assert (await client.get(one["path"], headers=html)).status_code == 404
    assert (await client.get(shares)).json() == {"shares": before}


async def test_what_is_counted_while_a_group_is_read_makes_nothing_look_gone(
    client: httpx.AsyncClient, store: Store, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, today = "portal-1", date.fromisoformat(TODAY)
    of_hits = queries_group.of_hits

    async def count_one() -> None:
        statement = (
            "SELECT argMax(views, position), argMax(visits, position) FROM counters"
            " WHERE site = %(site)s AND path = '' AND grain = 'day' AND start = %(day)s"
        )
        ((views, visits),) = await store.execute(statement, {"site": site, "day": today})
        newest = "SELECT max(position) FROM {table} WHERE site = %(site)s"
        last = 0
        for table in ("hits", "counters"):
            ((of_table,),) = await store.execute(newest.format(table=table), {"site": site})
            last = max(last, of_table)
        hit: dict[str, Any] = {
            "site": site,
            "path": "/",
            "at": day_start_ms(to_day(today), "Asia/Ho_Chi_Minh") + 3_600_000,
            "day": to_day(today),
            "visitor": 1,
            "visit": 1,
            "bot": 0,
            **dict.fromkeys(("host", "source", "device", "browser", "os", "country"), ""),
            "position": last + 1,
            "idx": 0,
        }
        await store.insert("hits", {name: [value] for name, value in hit.items()})
        more = {"views": views + 1, "position": last + 1}
        await write_counter(store, site, "day", today, visits + 1, **more)

    async def counted_meanwhile(*asked: Any) -> queries_group.HitsOfSites:
        await count_one()
        hits = await of_hits(*asked)
        await count_one()
        return hits

    monkeypatch.setattr(queries_group, "of_hits", counted_meanwhile)
    said = await group_report(client, group, period="month", date=TODAY)
    assert said["is_running"]
    for name in ("pages", "sources", "devices"):
        assert said[name]["rows"]
        assert (said[name]["partial"], said[name]["gone"]) == (False, False), name
    assert said["kept"] is None
