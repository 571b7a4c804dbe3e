"""The page of all rows of a panel, and its file."""

import csv
import io
import re
from datetime import datetime

import httpx
import pytest
from msgspec import structs

from services.api.app import Api
from services.api.stats.panels.breakdowns import BREAKDOWNS
from services.api.stats.rows import panel_rows
from tests.integration.api import changes
from tests.integration.stats import history
from tests.integration.stats.expected import Seen, wall_hour

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERIOD = {"period": "year", "date": "2023-06-01"}
ENGLISH = {"Accept": "text/html", "Accept-Language": "en"}


async def shown(client: httpx.AsyncClient, path: str = "page", **asked: str) -> str:
    address = f"/admin/sites/newyork/all/{path}"
    answer = await client.get(address, params=PERIOD | asked, headers=ENGLISH)
    assert answer.status_code == 200, answer.text
    return answer.text


async def file(client: httpx.AsyncClient, path: str = "page", **asked: str) -> list[list[str]]:
    address = f"/admin/sites/newyork/all/{path}/csv"
    answer = await client.get(address, params=PERIOD | asked, headers={"Accept-Language": "en"})
    assert answer.status_code == 200, answer.text
    assert answer.text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(answer.text[1:])))


async def test_every_panel_opens_to_all_of_its_rows(client: httpx.AsyncClient) -> None:
    whole = await client.get("/admin/sites/newyork", params=PERIOD, headers=ENGLISH)
    for panel in BREAKDOWNS:
        link = f'href="/admin/sites/newyork/all/{panel}?period=year&amp;date=2023-06-01"'
        assert (link in whole.text) is (panel != "region"), "provinces are those of a country"
        page = await shown(client, panel)
        assert 'aria-sort="descending"' in page
        assert 'class="change' in page, "the year before is told"


async def test_the_chart_and_its_file_say_what_they_compare_with(client: httpx.AsyncClient) -> None:
    asked = {
        "period": "custom",
        "date": "2023-05-01,2023-05-31",
        "compare": "2023-04-01,2023-04-30",
    }
    page = (await client.get("/admin/sites/newyork", params=asked, headers=ENGLISH)).text
    assert "Compared period (1 Apr 2023 – 30 Apr 2023)" in page
    address = "/admin/sites/newyork/csv/timeseries"
    answer = await client.get(address, params=asked, headers={"Accept-Language": "en"})
    heads, *days = csv.reader(io.StringIO(answer.text[1:]))
    assert heads[4:6] == ["date compared with", "pageviews before"]
    assert [day[4] for day in days] == [*(f"2023-04-{day:02}" for day in range(1, 31)), ""]
    april = asked | {"date": asked["compare"], "compare": "none"}
    answer = await client.get(address, params=april, headers={"Accept-Language": "en"})
    alone = list(csv.reader(io.StringIO(answer.text[1:])))
    assert [day[4:] for day in days[:-1]] == alone[1:]
    assert len(alone[0]) == 4
    assert any(int(day[1]) for day in alone[1:])
    # Of the longer month every day is there, too, so that both columns add up to what the page has.
    turned = {**asked, "date": asked["compare"], "compare": asked["date"]}
    answer = await client.get(address, params=turned, headers={"Accept-Language": "en"})
    _, *both = csv.reader(io.StringIO(answer.text[1:]))
    assert [day[:4] for day in both] == [*alone[1:], [""] * 4]
    assert [day[4:] for day in both] == [day[:4] for day in days]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"date": "2022-01-05"}, "Not all days to compare with were counted"),
        ({"date": "2023-05-05", "opening": "include"}, "With opening balances, rows are not"),
    ],
)
async def test_rows_without_a_change_say_why(
    client: httpx.AsyncClient, more: dict[str, str], said: str
) -> None:
    for panel in ("device", "page"):
        address = f"/admin/sites/newyork/all/{panel}"
        asked = {"period": "month", **more}
        for compare, is_said in (("previous_period", True), ("none", False)):
            answer = await client.get(address, params=asked | {"compare": compare}, headers=ENGLISH)
            assert answer.status_code == 200, answer.text
            assert (said in answer.text) is is_said
        whole = asked | {"date": "2023-05-05", "opening": "exclude"}
        text = (await client.get(address, params=whole, headers=ENGLISH)).text
        assert "so no change is shown" not in text


async def test_a_search_is_kept_by_the_order_and_the_file(client: httpx.AsyncClient) -> None:
    page = await shown(client, search="MO CUA")
    assert "/tin-tuc/mở-cửa.html" in page
    assert "100%_đúng" not in page
    assert "search=MO+CUA&amp;sort=visits&amp;order=desc" in page
    heads, *rows = await file(client, search="MO CUA")
    assert heads[:4] == ["page", "pageviews", "pageviews before", "change of pageviews in %"]
    assert [row[0] for row in rows] == ["/tin-tuc/mở-cửa.html"]
    assert "Nothing is found" in await shown(client, search="zzz")


async def test_a_file_without_a_row_says_what_it_would_have(client: httpx.AsyncClient) -> None:
    for panel in ("page", "source", "downloads"):
        heads, *_ = await file(client, panel)
        [alone] = await file(client, panel, search="zzz")
        assert alone == [head for head in heads if head != "title"]
    nobody = {**PERIOD, "filters": "visit:country==XX", "lang": "en"}
    heads, *rows = csv.reader(
        io.StringIO((await client.get("/admin/sites/newyork/csv/page", params=nobody)).text[1:])
    )
    assert (heads[0], rows) == ("page", [])
    asked = {"site_id": "newyork", **PERIOD, "property": "event:page", "metrics": "visits"}
    answer = await client.get(
        "/api/v1/stats/breakdown",
        params={**asked, "filters": nobody["filters"], "titles": "true"},
        headers={"Accept": "text/csv"},
    )
    assert answer.text == '"page","title","visits"\r\n'


async def test_a_search_finds_what_the_page_shows_in_the_language_of_its_reader(
    client: httpx.AsyncClient,
) -> None:
    for lang, search, panel, value in (
        ("vi", "viet nam", "country", "VN"),
        ("en", "vietnam", "country", "VN"),
        ("en", "VN", "country", "VN"),
        ("vi", "dien thoai", "device", "mobile"),
        ("vi", "dong thap", "region", "VN-46"),
        ("en", "hanoi", "region", "VN-HN"),
        ("en", "california", "region", "US-CA"),
    ):
        address = f"/admin/sites/newyork/all/{panel}/csv"
        asked = PERIOD | {"search": search, "lang": lang}
        lines = list(csv.reader(io.StringIO((await client.get(address, params=asked)).text)))
        assert [line[0] for line in lines[1:]] == [value], (lang, search)
    assert len(await file(client, "country", search="germany")) < 2


async def test_a_country_opens_to_its_provinces(client: httpx.AsyncClient) -> None:
    asked = PERIOD | {"filters": "visit:country==VN"}
    in_vietnamese = {"Accept": "text/html", "Accept-Language": "vi"}
    vietnamese = (
        await client.get("/admin/sites/newyork", params=asked, headers=in_vietnamese)
    ).text
    panel = vietnamese.partition('id="region"')[2].partition("</section>")[0]
    assert "Tỉnh, thành phố" in panel
    assert ">Hà Nội</a>" in panel
    assert ">Tiền Giang (nay thuộc Đồng Tháp)</a>" in panel
    assert "filters=visit:country==VN%3Bvisit:region==VN-HN" in panel
    assert "California" not in panel
    devices = vietnamese.partition('id="device"')[2].partition("</section>")[0]
    assert ">Không rõ</a>" in devices
    assert ">(not set)<" not in vietnamese
    english = (await client.get("/admin/sites/newyork", params=asked, headers=ENGLISH)).text
    assert ">Tien Giang (now part of Dong Thap)</a>" in english
    of_one = asked | {"filters": "visit:country==VN;visit:region==VN-HN"}
    page = (await client.get("/admin/sites/newyork", params=of_one, headers=ENGLISH)).text
    assert "Province: Hanoi" in page, "the filter is named as the row was"

    heads, *rows = await file(client, "region", filters="visit:country==VN")
    assert heads[0] == "region"
    assert {row[0] for row in rows} == {"VN-HN", "VN-46", "(not set)"}
    of_vn = await file(client, "country", filters="visit:country==VN")
    assert sum(int(row[1]) for row in rows) == int(of_vn[1][1]), "visits are those of the country"
    assert "Texas, United States" in await shown(client, "region")


async def test_the_hours_of_the_week_are_a_file_of_weekdays_by_hours(
    client: httpx.AsyncClient, seen: dict[str, list[Seen]]
) -> None:
    in_vietnamese = {"Accept": "text/html", "Accept-Language": "vi"}
    page = (await client.get("/admin/sites/newyork", params=PERIOD, headers=in_vietnamese)).text
    [address] = re.findall(r'href="(/admin/sites/newyork/csv/heat[^"]*)"', page)
    answer = await client.get(address.replace("&amp;", "&"), headers=in_vietnamese)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    heads, *lines = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert heads == ["Thứ", *(f"{hour:02}:00" for hour in range(24))]
    assert [line[0] for line in lines][::6] == ["Thứ Hai", "Chủ Nhật"]
    expected = [[0] * 24 for _ in range(7)]
    for each in seen["newyork"]:
        at = wall_hour(each.hit, "America/New_York")
        if at[:4] == PERIOD["date"][:4] and not each.hit.bot:
            expected[datetime.fromisoformat(at).weekday()][int(at[11:13])] += 1
    assert [list(map(int, line[1:])) for line in lines] == expected


async def test_without_provinces_the_panel_says_which_file_has_them(
    client: httpx.AsyncClient,
) -> None:
    asked = PERIOD | {"filters": "visit:country==FR"}
    page = (await client.get("/admin/sites/newyork", params=asked, headers=ENGLISH)).text
    assert "luot country FILE" in page.partition('id="region"')[2].partition("</section>")[0]


async def test_the_form_of_filters_takes_patterns(client: httpx.AsyncClient) -> None:
    asked = {"filter_by": "event:page", "filter_value": "/l/*|/", "filters": "visit:country==VN"}
    for path in ("all/page", ""):
        page = await client.get(
            f"/admin/sites/newyork/{path}".rstrip("/"), params=PERIOD | asked, headers=ENGLISH
        )
        assert page.status_code == 200
        assert "Page: /l/* | /" in page.text
        assert "Country: VN" in page.text
    rows = await file(client, **asked)
    assert {row[0] for row in rows[1:]} == {"/", "/l/2"}
    without = await file(client, **(asked | {"filter_is": "not"}))
    assert not {row[0] for row in without[1:]} & {"/", "/l/2"}
    refused = await client.get(
        "/admin/sites/newyork", params={"filter_by": "height", "filter_value": "1"}
    )
    assert list(refused.json()["errors"]) == ["filters"]


async def test_a_section_opens_to_its_pages(client: httpx.AsyncClient) -> None:
    page = await shown(client, section="/")
    assert "/tin-tuc/*" in page
    assert "section=/tin-tuc/" in page
    below = await shown(client, section="/tin-tuc/")
    assert "All sections" in below
    assert "filters=event:page==/tin-tuc/%2A" in below
    heads, *rows = await file(client, section="/")
    assert heads[0] == "page"
    assert {row[0] for row in rows} >= {"/tin-tuc/*", "/", "(other)"}


async def test_a_file_of_several_parts_is_that_of_one(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await file(client, compare="none")
    monkeypatch.setattr(panel_rows, "CSV_ROWS_AT_ONCE", 2)
    assert await file(client, compare="none") == whole
    assert len(whole) > 5


@pytest.mark.parametrize(
    ("path", "asked", "field", "status"),
    [
        ("nothing", {}, "panel", 404),
        ("page", {"sort": "height"}, "sort", 400),
        ("exit_page", {"sort": "pageviews"}, "sort", 400),
        ("page", {"order": "up"}, "order", 400),
        ("page", {"page": "0"}, "page", 400),
        ("page", {"search": "x" * 101}, "search", 400),
        ("page", {"section": "tin-tuc"}, "section", 400),
        ("source", {"section": "/"}, "section", 400),
        ("page", {"filters": "height==1"}, "filters", 400),
    ],
)
async def test_what_cannot_be_read_names_its_parameter(
    client: httpx.AsyncClient, path: str, asked: dict[str, str], field: str, status: int
) -> None:
    for address in (f"all/{path}", f"all/{path}/csv"):
        answer = await client.get(f"/admin/sites/newyork/{address}", params=asked)
        assert answer.status_code == status
        assert list(answer.json()["errors"]) == [field]


async def test_strangers_see_rows_of_a_public_dashboard_without_hidden_pages(
    api: Api, client: httpx.AsyncClient
) -> None:
    site = history.SITES[0]
    token = client.headers.pop("Authorization")
    try:
        refused = await client.get("/admin/sites/newyork/all/page")
        assert refused.status_code == 401
        await changes.save(
            api, structs.replace(site, public_dashboard=True, hidden_pages=("/tin-tuc/*", "/a\\b"))
        )
        for panel in ("page", "entry_page", "exit_page"):
            rows = await file(client, panel)
            assert {row[0] for row in rows[1:]} == {"/", "/l", "/l/2", "(other)"}, panel
    finally:
        client.headers["Authorization"] = token
        await changes.save(api, site)
    assert "/a\\b" in {row[0] for row in await file(client, "exit_page")}
