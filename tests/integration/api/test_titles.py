"""Titles of pages: read from a portal, written by people, shown beside paths."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import httpx
import pytest
import pytest_asyncio
from msgspec import structs

from services.api.app import Api
from services.model.calendar import to_day
from services.store.counts import erasures
from services.store.interface import Store
from services.store.records import sites
from tests.integration.api.people import ADMIN, add_user, audit, browser
from tests.integration.api.world import (
    EITHER_STORE,
    SITE,
    Clock,
    write_counter,
    write_views,
)
from tests.patience import rounds
from tests.servers.portal import XML, Answer, Asked, Portal, page, redirect, served

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

SITES = "/api/admin/sites/mytho"
TITLES = f"{SITES}/titles"
HTML = {"Accept": "text/html", "Accept-Language": "vi"}
TODAY = date(2024, 1, 3)
LOCAL = "127.0.0.1"


@pytest_asyncio.fixture(loop_scope="module")
async def portal() -> AsyncIterator[Portal]:
    async with served() as portal:
        yield portal


@pytest_asyncio.fixture(loop_scope="module")
async def reading(api: Api, store: Store, clock: Clock) -> Api:
    """An API that may ask this machine, and does so without pauses, and whose site is there."""
    await sites.save(store, structs.replace(SITE, hosts=(LOCAL, "mytho.example")), 2)
    await api.registry.refresh()
    fetches = api._now().title_fetches
    fetches._private, fetches.pause = (LOCAL,), 0.0
    return api


def sitemap(*urls: str, more: str = "") -> Answer:
    entries = "".join(f"<url><loc>{url}</loc>{more}</url>" for url in urls)
    text = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'
    return Answer(text.encode(), XML)


async def read(client: httpx.AsyncClient, portal: Portal, **body: int) -> dict[str, Any]:
    """Read the portal, from its sitemap on."""
    plan = {"sitemap": portal.url("/sitemap.xml")}
    assert (await client.patch(f"{TITLES}/plan", json=plan, headers=ADMIN)).status_code == 200
    begun = await client.post(f"{TITLES}/fetch", json=body, headers=ADMIN)
    assert begun.status_code == 202, begun.text
    return await ended(client)


async def ended(client: httpx.AsyncClient) -> dict[str, Any]:
    for _ in rounds(0.02):
        run: dict[str, Any] = (await client.get(f"{TITLES}/fetch", headers=ADMIN)).json()
        if run["state"] != "running":
            return run
        await asyncio.sleep(0.02)
    raise AssertionError(run)


async def known(client: httpx.AsyncClient, **query: Any) -> dict[str, str]:
    found = (await client.get(TITLES, params=query, headers=ADMIN)).json()
    return {one["path"]: one["title"] for one in found["titles"]}


async def test_titles_are_read_from_sitemaps_and_pages_and_asked_for_once(
    reading: Api, client: httpx.AsyncClient, portal: Portal, clock: Clock, store: Store
) -> None:
    news = (
        '<news:news xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">'
        "<news:title>Họp báo\n quý I</news:title></news:news>"
        '<image:image xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">'
        "<image:loc>https://mytho.example/anh.jpg</image:loc><image:title>Ảnh</image:title>"
        "</image:image>"
    )
    index = (
        '<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        f"<sitemap><loc>{portal.url('/news.xml')}</loc></sitemap>"
        f"<sitemap><loc>{portal.url('/pages.xml.gz')}</loc></sitemap>"
        "<sitemap><loc>http://169.254.169.254/sitemap.xml</loc></sitemap></sitemapindex>"
    )
    pages = sitemap(
        portal.url("/tin/1"),
        portal.url("/tin/2?utm_source=x"),
        portal.url("/di"),
        portal.url("/cam/1"),
        "https://other.example/x",
    )

    def zipped(asked: Asked) -> Answer:
        if asked.headers.get("if-none-match") == '"1"':
            return Answer(status=304)
        return Answer(gzip.compress(pages.body), "application/gzip", headers={"ETag": '"1"'})

    portal.pages = {
        "/robots.txt": Answer(b"User-agent: Luot\nDisallow: /cam/\n", "text/plain"),
        "/sitemap.xml": Answer(index.encode(), XML),
        "/news.xml": sitemap(portal.url("/hop-bao"), more=news),
        "/pages.xml.gz": zipped,
        "/tin/1": page("Lịch tiếp dân &amp; hòm thư"),
        "/tin/2?utm_source=x": Answer(
            b'<head><meta property="og:title" content="Th\xc3\xb4ng b\xc3\xa1o"><title>x</title>'
        ),
        "/di": redirect("/"),
        "/": page("Trang chủ"),
    }
    run = await read(client, portal)
    assert run["state"] == "done", run
    assert "169.254.169.254" in run["problem"]
    assert (run["sitemaps"], run["named"], run["asked"], run["found"]) == (3, 5, 3, 3)
    expected = {
        "/hop-bao": "Họp báo quý I",
        "/tin/1": "Lịch tiếp dân & hòm thư",
        "/tin/2": "Thông báo",
    }
    assert await known(client) == expected
    assert await known(client, search="thong bao") == {"/tin/2": "Thông báo"}
    assert all("/cam/1" not in asked.path for asked in portal.asked)

    clock.now += 60
    portal.asked.clear()
    again = await read(client, portal)
    assert (again["state"], again["named"], again["asked"], again["found"]) == ("done", 0, 0, 0)
    assert {one.path for one in portal.asked} == {"/sitemap.xml", "/news.xml", "/pages.xml.gz"}
    entries = await audit(client)
    assert [one["action"] for one in entries[:2]] == ["titles.fetch", "titles.fetch"]

    await erasures.delete(store, ["mytho"])
    assert not await known(client)


async def test_bad_sitemaps_are_told_and_name_nothing(
    reading: Api, client: httpx.AsyncClient, portal: Portal
) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(10))
    bomb = (
        f'<?xml version="1.0"?><!DOCTYPE x [{entities}]><urlset><url><loc>&l9;</loc></url></urlset>'
    )
    outside = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><urlset>&f;</urlset>'
    deep = "<urlset>" + "<a>" * 100
    for body, why in (
        (bomb.encode(), "document type"),
        (outside.encode(), "document type"),
        (deep.encode(), "more than 32 tags"),
        (b"<html><title>404</title>", "expected urlset"),
        (b"{}", "not XML"),
        (b"<urlset><!--" + b"x" * 3_000_000, "more than 1000000 bytes"),
        (b"", "not XML"),
    ):
        portal.pages["/sitemap.xml"] = Answer(body, XML)
        run = await read(client, portal)
        assert run["state"] == "failed", body[:40]
        assert why in run["problem"]
    portal.pages["/sitemap.xml"] = redirect("http://169.254.169.254/latest/meta-data/")
    run = await read(client, portal)
    assert "is not a host of the site" in run["problem"]
    assert not await known(client)
    refused = await client.patch(
        f"{TITLES}/plan", json={"sitemap": "http://localhost/x"}, headers=ADMIN
    )
    assert refused.status_code == 400
    assert "sitemap" in refused.json()["errors"]


@pytest.mark.parametrize("line", ["Disallow: //[", "Crawl-delay: ²", "Sitemap: http://["])
async def test_an_address_that_is_none_keeps_no_portal_from_being_read(
    reading: Api, client: httpx.AsyncClient, portal: Portal, line: str
) -> None:
    robots = f"User-agent: *\n{line}\nDisallow: /cam/\n"
    index = (
        f"<sitemapindex><sitemap><loc>{portal.url('/tin.xml')}</loc></sitemap>"
        "<sitemap><loc>http://[</loc></sitemap></sitemapindex>"
    )
    portal.pages = {
        "/robots.txt": Answer(robots.encode(), "text/plain"),
        "/sitemap.xml": Answer(index.encode(), XML),
        "/tin.xml": sitemap(portal.url("/tin/1"), portal.url("/cam/1"), "http://["),
        "/tin/1": page("Lịch tiếp dân"),
        "/cam/1": page("Cấm"),
    }
    run = await read(client, portal)
    assert (run["state"], run["sitemaps"]) == ("done", 2)
    assert "is not an address of a page" in run["problem"]
    assert await known(client) == {"/tin/1": "Lịch tiếp dân"}


async def test_a_reading_can_be_stopped_and_only_one_runs(
    reading: Api, client: httpx.AsyncClient, portal: Portal
) -> None:
    reading._now().title_fetches.pause = 60.0
    portal.pages = {
        "/sitemap.xml": sitemap(portal.url("/1"), portal.url("/2")),
        "/1": page("Một"),
        "/2": page("Hai"),
    }
    await client.patch(
        f"{TITLES}/plan", json={"sitemap": portal.url("/sitemap.xml")}, headers=ADMIN
    )
    begun = await client.post(f"{TITLES}/fetch", json={}, headers=ADMIN)
    assert begun.json()["state"] == "running"
    busy = await client.post(f"{TITLES}/fetch", json={}, headers=ADMIN)
    assert busy.status_code == 409
    stopped = await client.delete(f"{TITLES}/fetch", headers=ADMIN)
    assert stopped.json()["state"] == "cancelled"
    assert (await client.delete(f"{TITLES}/fetch", headers=ADMIN)).status_code == 409


async def test_what_people_write_stays_and_is_shown_beside_the_path(
    reading: Api, client: httpx.AsyncClient, portal: Portal, store: Store, clock: Clock
) -> None:
    await add_user(client, "lan", "editor")
    at = to_day(TODAY)
    for grain, start in (
        ("day", TODAY),
        ("month", TODAY.replace(day=1)),
        ("year", date(2024, 1, 1)),
    ):
        await write_counter(store, "mytho", grain, start, 2, views=2, position=at)
    await write_counter(store, "mytho", "total", date(1970, 1, 1), 2, views=2, position=at)
    await write_views(store, "mytho", TODAY, [1, 2])
    [[path]] = await store.execute("SELECT DISTINCT path FROM hits WHERE site = 'mytho'")
    portal.pages = {"/sitemap.xml": sitemap(portal.url(path)), path: page("Của cổng")}
    async with browser(client, "lan") as lan:
        wrong = await lan.put(TITLES, json={"path": "https://other.example/x", "title": "x"})
        assert wrong.status_code == 400
        blank = await lan.put(TITLES, json={"path": path, "title": " \u200b\u202e "})
        assert blank.status_code == 400
        set_ = await lan.put(TITLES, json={"path": path, "title": "Đồng Tháp  họp"})
        assert set_.json() == {"written": 1}
        many = {"titles": [{"path": "/b", "title": "Bê"}, {"path": path, "title": "Đồng Tháp họp"}]}
        assert (await lan.post(f"{TITLES}/import", json=many)).json() == {"written": 1}
        await read(client, portal)
        assert await known(client) == {path: "Đồng Tháp họp", "/b": "Bê"}

        for address in ("/admin/sites/mytho", "/admin/sites/mytho/all/page"):
            html = (await lan.get(address, params={"period": "day"}, headers=HTML)).text
            assert "Đồng Tháp họp" in html, address
            assert path in html
        for search, is_found in (("dong thap", True), ("dong nai", False)):
            query = {"period": "day", "search": search}
            rows = await lan.get("/admin/sites/mytho/all/page", params=query, headers=HTML)
            assert ("Đồng Tháp họp" in rows.text) is is_found
        for file in ("all/page/csv", "csv/page"):
            csv = await lan.get(f"/admin/sites/mytho/{file}", params={"period": "day"})
            assert '"Đồng Tháp họp"' in csv.text, file
        query = {"site_id": "mytho", "property": "event:page", "period": "day", "titles": "true"}
        stats = await lan.get("/api/v1/stats/breakdown", params=query)
        assert [row["title"] for row in stats.json()["results"]] == ["Đồng Tháp họp"]
        for wrong_query in ({"titles": "1"}, {"property": "visit:country"}):
            answer = await lan.get("/api/v1/stats/breakdown", params=query | wrong_query)
            assert answer.status_code == 400
            assert "titles" in answer.json()["errors"]
        listed = await lan.get("/admin/sites/mytho/titles", headers=HTML)
        assert "nhập tại đây" in listed.text
        gone = await lan.delete(TITLES, params={"path": path})
        assert gone.status_code == 204
        assert (await lan.delete(TITLES, params={"path": path})).status_code == 404
    clock.now += 60
    await read(client, portal)
    assert await known(client) == {"/b": "Bê"}


async def test_the_public_list_has_titles_only_where_the_site_says_so(
    api: Api, client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    for grain, start in (("day", TODAY), ("total", date(1970, 1, 1))):
        await write_counter(store, "mytho", grain, start, 2, path="/tin")
    settings = {"public_top": True, "top_min_visitors": 0}
    assert (await client.patch(SITES, json=settings, headers=ADMIN)).status_code == 200
    await client.put(TITLES, json={"path": "/tin", "title": "Tin"}, headers=ADMIN)
    [shown] = (await client.get("/api/top/mytho")).json()["pages"]
    assert shown == {"path": "/tin", "views": 4}
    await client.patch(f"{TITLES}/plan", json={"in_top": True}, headers=ADMIN)
    clock.now += 60
    for _ in rounds(0.02):
        [shown] = (await client.get("/api/top/mytho")).json()["pages"]
        if "title" in shown:
            break
        await asyncio.sleep(0.02)
    assert shown == {"path": "/tin", "views": 4, "title": "Tin"}


async def test_a_portal_is_read_once_a_day_where_the_site_says_so(
    reading: Api, client: httpx.AsyncClient, portal: Portal, clock: Clock
) -> None:
    portal.pages["/sitemap.xml"] = sitemap(portal.url("/1"))
    fetches = reading._now().title_fetches
    assert await fetches.begin_due() == 0
    plan = {"daily": True, "sitemap": portal.url("/sitemap.xml")}
    await client.patch(f"{TITLES}/plan", json=plan, headers=ADMIN)
    for begun in (1, 0):
        assert await fetches.begin_due() == begun
        assert (await ended(client))["state"] == "done"
    clock.now += 86_400
    assert await fetches.begin_due() == 1
    assert (await ended(client))["author"] == ""


async def test_the_page_says_what_was_wrong_and_how_the_reading_ended(
    reading: Api, client: httpx.AsyncClient, portal: Portal
) -> None:
    await add_user(client, "lan", "editor")
    portal.pages["/sitemap.xml"] = redirect("http://169.254.169.254/")
    await read(client, portal)
    address = "/admin/sites/mytho/titles"
    async with browser(client, "lan") as lan:
        page_ = (await lan.get(address, headers=HTML)).text
        assert "Không đọc được cổng" in page_
        assert "không phải tên miền của trang web" in page_
        form = {"csrf": lan.headers["X-CSRF-Token"], "path": "khong", "title": "Tin"}
        wrong = await lan.post(address, data=form, headers=HTML)
        assert wrong.status_code == 400
        assert "cần đường dẫn như /tin-tuc/1" in wrong.text
        right = await lan.post(address, data=form | {"path": "/tin"}, headers=HTML)
        assert right.status_code == 303, right.text
        assert "Đã lưu" in (await lan.get(right.headers["location"], headers=HTML)).text
        for below, fields in (
            ("plan", {"sitemap": "http://localhost/"}),
            ("remove", {"path": "/khong"}),
            ("cancel", {}),
        ):
            answer = await lan.post(f"{address}/{below}", data=form | fields, headers=HTML)
            assert answer.status_code == 400, below


async def upload(client: httpx.AsyncClient, content: bytes) -> httpx.Response:
    files = {"file": ("tieu-de.csv", content)}
    address = "/admin/sites/mytho/titles/file"
    return await client.post(address, files=files, headers={**ADMIN, **HTML}, timeout=60)


async def test_titles_go_out_and_in_as_a_file_as_a_whole_or_not_at_all(
    reading: Api, client: httpx.AsyncClient, portal: Portal
) -> None:
    # As Excel writes it in Vietnam: semicolons, and a mark before the heading or none.
    rows = 'Đường dẫn;Tiêu đề\r\n/tin/1;"Họp ""báo""; quý I"\r\nhttp://mytho.example/tin/2;=1+1\r\n'
    for content in (rows.encode("utf-8-sig"), rows.encode(), rows.encode("utf-16")):
        answer = await upload(client, content)
        assert answer.status_code == 303, answer.text
    expected = {"/tin/1": 'Họp "báo"; quý I', "/tin/2": "=1+1"}
    assert await known(client) == expected
    again = await client.get(answer.headers["location"], headers={**ADMIN, **HTML})
    assert "Đã ghi 0 tiêu đề." in again.text

    file = await client.get("/admin/sites/mytho/titles.csv", headers={**ADMIN, **HTML})
    assert file.text == (
        '\ufeff"Trang","Tiêu đề"\r\n"/tin/1","Họp ""báo""; quý I"\r\n"/tin/2","\'=1+1"\r\n'
    )
    assert "mytho-titles.csv" in file.headers["content-disposition"]
    changed = file.text.replace("quý I", "quý II").encode()
    assert "written=1" in (await upload(client, changed)).headers["location"]
    expected["/tin/1"] = 'Họp "báo"; quý II'
    assert await known(client) == expected

    wrong = "/tin/3,Ba\nhttp://la.example/,Lạ\n/tin/4\n/tin/3,Bốn\n/tin/5,\u200b\n"
    answer = await upload(client, wrong.encode())
    assert answer.status_code == 400
    assert "4 dòng không ghi được" in answer.text
    for line, why in (
        (2, "cần đường dẫn như /tin-tuc/1"),
        (3, "cần đường dẫn và tiêu đề"),
        (4, "trùng trang với dòng 1"),
        (5, "cần một tiêu đề"),
    ):
        assert f"<li>Dòng {line}: " in answer.text
        assert why in answer.text
    for content, why in (
        (b"", "tệp rỗng"),
        (b"/tin/1,\xff\xfe\n", "dòng 1 không ở bảng mã UTF-8"),
        ("trang,tiêu đề\n".encode(), "không có dòng nào gồm đường dẫn và tiêu đề"),
        (b"x" * 8_500_000, "quá lớn; chỉ nhận tối đa 8388608 byte"),
        (b"/t,t\n" * 50_002, "50000"),
        (b"".join(b"/t/%d,t\n" % number for number in range(49_999)), "50000 trang được đặt tên"),
    ):
        answer = await upload(client, content)
        assert answer.status_code == 400, why
        assert why in answer.text, why
    assert await known(client) == expected


async def test_a_portal_that_fails_is_left_in_peace_and_asked_again(
    reading: Api, client: httpx.AsyncClient, portal: Portal
) -> None:
    pages = [f"/{number}" for number in range(15)]
    portal.pages = {path: Answer(status=503) for path in pages}
    portal.pages["/sitemap.xml"] = sitemap(*map(portal.url, pages))
    run = await read(client, portal)
    assert (run["state"], run["asked"]) == ("failed", 10)
    assert "answers with 503" in run["problem"]
    portal.pages |= {path: page(f"Tin {path}") for path in pages[1:]}
    run = await read(client, portal)
    assert (run["state"], run["asked"], run["found"]) == ("done", 15, 14)
    # One that does not come is asked again as late as those that come.
    assert (await read(client, portal))["asked"] == 0
