"""A page of somebody else's cannot make its readers ours, and no reader of ours is lost for it."""

import pytest

from services.model.site import Site
from tests.integration.ingest.conftest import Browser, Log, OpenIngest

URL = "https://mytho.example/tin"
GIF = "/hit.gif?d=mytho&u=https%3A%2F%2Fmytho.example%2Ftin"

OURS = [
    {},
    {"origin": "https://mytho.example"},
    {"origin": "https://www.mytho.example"},
    {"origin": "http://mytho.example:8080"},
    {"referer": "https://mytho.example/"},
    {"referer": "https://www.mytho.example/tin?tabid=1"},
    # Hidden by the page's own policy: what remains is the page's word.
    {"origin": "null"},
    {"origin": "null", "referer": "https://mytho.example/tin"},
    # What shows a page within an application is no web site.
    {"origin": "file://"},
    {"origin": "capacitor://localhost"},
    {"referer": "android-app://com.zing.zalo/"},
    # Served for the portal: readers of its translation and of its AMP pages.
    {"origin": "https://mytho-example.translate.goog"},
    {"referer": "https://mytho-example.cdn.ampproject.org/"},
    {"referer": ""},
]

FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "https://evil-mytho.example"},
    {"origin": "https://mytho.example.evil.example"},
    {"origin": "https://EVIL.example"},
    {"origin": "null", "referer": "https://evil.example/page"},
    {"referer": "https://evil.example/https://mytho.example/"},
    {"referer": "https://mytho.example@evil.example/"},
    {"origin": "https://evil-example.translate.goog"},
    {"referer": "https://evil-example.cdn.ampproject.org/"},
    {"referer": "https://translate.goog/mytho-example"},
]


@pytest.mark.parametrize("headers", OURS, ids=str)
async def test_a_reader_of_the_portal_counts(
    browser: Browser, log: Log, headers: dict[str, str]
) -> None:
    answers = [await browser.view(URL, **headers), await browser.http.get(GIF, headers=headers)]
    assert [answer.headers.get("x-luot-dropped") for answer in answers] == [None, None]
    assert len(log.hits()) == 2


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_reader_of_a_foreign_page_does_not_count(
    browser: Browser, log: Log, headers: dict[str, str]
) -> None:
    posted = await browser.view(URL, **headers)
    loaded = await browser.http.get(GIF, headers=headers)
    assert (posted.status_code, posted.headers["x-luot-dropped"]) == (202, "foreign_host")
    assert (loaded.status_code, loaded.headers["x-luot-dropped"]) == (200, "foreign_host")
    assert log.hits() == []


async def test_an_image_that_names_no_page_is_of_the_page_it_is_on(
    browser: Browser, log: Log
) -> None:
    foreign = {"referer": "https://evil.example/page"}
    answer = await browser.http.get("/hit.gif?d=mytho&u=/tin", headers=foreign)
    assert answer.headers["x-luot-dropped"] == "foreign_host"
    answer = await browser.http.get("/hit.gif?d=mytho", headers=foreign)
    assert answer.headers["x-luot-dropped"] == "foreign_host"
    assert log.hits() == []


@pytest.mark.parametrize(
    ("hosts", "page", "counted"),
    [
        (("*",), "https://a.example/", {"a.example", "b.a.example", "evil.example"}),
        (("*.a.example",), "https://b.a.example/", {"b.a.example"}),
        (("a.example", "b.a.example"), "https://a.example/", {"a.example", "b.a.example"}),
    ],
)
async def test_the_pages_of_a_site_are_those_of_its_hosts(
    log: Log, open_ingest: OpenIngest, hosts: tuple[str, ...], page: str, counted: set[str]
) -> None:
    log.publish(Site(slug="dem", hosts=hosts))
    taken = set()
    async with open_ingest() as browser:
        for host in ("a.example", "b.a.example", "evil.example"):
            answer = await browser.view(page, "dem", origin=f"https://{host}")
            if "x-luot-dropped" not in answer.headers:
                taken.add(host)
    assert taken == counted
