"""Pages that were not found, searches and links outwards: what is in the log of each."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from services.ingest.cardinality import FREE_PART
from services.model.hit import OTHER_PATH, Hit, Visit
from services.model.kept_apart import Apart, name_of
from services.model.searches import PRIVATE
from services.model.site import Site
from tests.integration.ingest.conftest import Browser, Log, OpenIngest

HOST = "https://mytho.example"
SITE = Site(
    slug="mytho",
    hosts=("mytho.example", "*.mytho.example"),
    significant=("tabid",),
    search_parameters=("q", "TuKhoa"),
    excluded_pages=("/noi-bo/**",),
)
MISSING, SEARCHES, OUTBOUND, FILES = (
    name_of("mytho", kind)
    for kind in (Apart.NOT_FOUND, Apart.SEARCHES, Apart.OUTBOUND, Apart.DOWNLOADS)
)


@pytest.fixture
async def browser(open_ingest: OpenIngest, log: Log) -> AsyncIterator[Browser]:
    log.publish(SITE)
    async with open_ingest() as browser:
        yield browser


async def send(browser: Browser, name: str, url: str, **more: Any) -> str:
    """Send an event; return why it does not count, or ''."""
    event = {"n": name, "u": f"{HOST}{url}", "d": "mytho", **more}
    answer: httpx.Response = await browser.http.post("/e", content=msgspec.json.encode(event))
    assert answer.status_code == 202, answer.text
    return str(answer.headers.get("x-luot-dropped", ""))


async def kept(log: Log) -> list[tuple[str, str, str]]:
    return [(hit.site, hit.path, hit.source) for hit in log.hits()]


async def test_a_page_that_was_not_found_is_no_view_and_names_the_page_with_the_link(
    browser: Browser, log: Log, clock: Any
) -> None:
    for url, referrer in {
        "/mat?tabid=7&x=1": f"{HOST}/tin-tuc/index.html?tabid=3&sid=secret",
        "/mat": "https://dichvu.mytho.example/thu-tuc",
        "/cu": "https://www.chinhphu.example/lien-ket/?q=secret#a",
        "/go": "",
        "/noi-bo/a": "",
    }.items():
        dropped = await send(browser, "404", url, r=referrer)
        assert dropped == ("excluded" if "noi-bo" in url else "")
        clock.ms += 1
    await browser.http.get("/hit.gif", params={"d": "mytho", "n": "404", "u": f"{HOST}/anh"})
    assert await kept(log) == [
        (MISSING, "/mat?tabid=7", "/tin-tuc?tabid=3"),
        (MISSING, "/mat", "dichvu.mytho.example/thu-tuc"),
        (MISSING, "/cu", "chinhphu.example/lien-ket"),
        (MISSING, "/go", ""),
        (MISSING, "/anh", ""),
    ]
    assert {(hit.visitor, hit.visit) for hit in log.hits()} == {(0, Visit.CONTINUES)}


async def test_searched_words_are_kept_in_one_spelling_and_nothing_else_of_the_address(
    browser: Browser, log: Log, clock: Any
) -> None:
    for query in (
        "q=+Gi%E1%BA%A5y%20%20PHE%CC%81P+&sid=secret",
        "tukhoa=gi%E1%BA%A5y+ph%C3%A9p",
        "x=1",
        "q=",
        f"q={'a' * 5000}",
        "q=an%40mytho.example",
        "q=0912%20345%20678",
    ):
        # No referrer: a reload is a search, the next page of the same results is none.
        assert not await send(browser, "pageview", f"/tim-kiem?{query}", k=0.5)
        clock.ms += 1
    searches = [hit for hit in log.hits() if hit.site == SEARCHES]
    assert [hit.path for hit in searches] == [
        "giấy phép", "giấy phép", "a" * 100, PRIVATE, PRIVATE,
    ]  # fmt: skip
    views = [hit for hit in log.hits() if hit.site == "mytho"]
    assert [hit.path for hit in views] == ["/tim-kiem"] * 7
    # The number of a search is another one than that of its view, and the same when repeated.
    numbers = {hit.view_id for hit in searches}, {hit.view_id for hit in views}
    assert [len(of) for of in numbers] == [1, 1]
    assert numbers[0] != numbers[1]
    assert {hit.visitor for hit in searches} == {0}


async def test_a_search_is_one_until_the_words_change(browser: Browser, log: Log) -> None:
    results = f"{HOST}/tim-kiem?q=%C4%91%E1%BA%A5t"
    for url, more in (
        ("/tim-kiem?q=%C4%91%E1%BA%A5t", {"r": f"{HOST}/tin/1?x=secret"}),
        ("/tim-kiem?q=%C4%91%E1%BA%A5t&trang=2", {"r": results}),
        # Of an application: only the query changes, which is no view, and may be a search.
        ("/tim-kiem?q=nh%C3%A0", {"r": results, "q": results}),
    ):
        assert not await send(browser, "pageview", url, **more)
    trailing = {"q": f"{HOST}/tim-kiem?q=nh%C3%A0", "r": f"{HOST}/tim-kiem?q=nh%C3%A0"}
    assert (
        await send(browser, "pageview", "/tim-kiem?q=nh%C3%A0&trang=3", **trailing) == "same_page"
    )
    found = [(hit.path, hit.source) for hit in log.hits() if hit.site == SEARCHES]
    assert found == [("đất", "/tin/1"), ("nhà", "/tim-kiem")]
    assert len([hit for hit in log.hits() if hit.site == "mytho"]) == 2


async def test_links_to_other_hosts_are_kept_by_host_and_path(browser: Browser, log: Log) -> None:
    click = "Outbound Link: Click"
    kind = {
        "https://www.DichVuCong.example/a/?token=secret#b": "",
        "//bao.example": "",
        "https://vb.mytho.example/qd-12.pdf": "",
        "https://vb.mytho.example/tin": "not_outbound",
        "/tin": "not_outbound",
        "mailto:an@mytho.example": "not_outbound",
        "https://[": "not_outbound",
        "": "not_outbound",
    }
    for url, reason in kind.items():
        assert await send(browser, click, "/lien-ket?x=1", p=url) == reason
    # As other trackers send it: an object, or JSON that is one.
    long = "https://bao.example/" + "ấ" * 400
    assert not await send(browser, click, "/lien-ket", p={"url": long})
    assert not await send(
        browser, click, "/lien-ket", p=msgspec.json.encode({"url": long}).decode()
    )
    hits = log.hits()
    assert [(hit.site, hit.path, hit.source) for hit in hits[:2]] == [
        (OUTBOUND, "dichvucong.example/a", "/lien-ket"),
        (OUTBOUND, "bao.example", "/lien-ket"),
    ]
    assert (hits[2].site, hits[2].path) == (FILES, "/qd-12.pdf")
    assert {len(hit.path.encode()) // 8 for hit in hits[3:]} == {512 // 8 - 1}


async def test_a_bots_search_is_not_kept_and_a_readers_is_within_the_budget_of_its_address(
    open_ingest: OpenIngest, log: Log
) -> None:
    log.publish(SITE)
    most = 10 * FREE_PART
    async with open_ingest(max_paths=most, path_readers=2, new_paths=1000) as browser:
        for number in range(12):
            await send(browser, "pageview", f"/tim-kiem?q=tu{number}")
        googlebot = "Googlebot/2.1 (+http://www.google.com/bot.html)"
        answer = await browser.view(f"{HOST}/tim-kiem?q=bot", user_agent=googlebot)
        assert answer.headers["x-luot-dropped"] == "bot"
    searches: list[Hit] = [hit for hit in log.hits() if hit.site == SEARCHES]
    paths = [hit.path for hit in searches]
    # Of ten new names a day, a quarter is for what several addresses have seen.
    assert (len(paths), paths.count(OTHER_PATH)) == (12, 12 - 8)
    assert all(hit.path == "/tim-kiem" for hit in log.hits() if hit.site == "mytho")
