"""A portal on one host and a whole Luot on another: what is asked, shown and counted."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from services.widget.snippet import PinnedScript, Snippet
from tests.browser.conftest import HEARD, becomes
from tests.browser.portal import Portal
from tests.patience import PATIENCE_SECONDS
from tests.servers.up import BROWSER, Up

ARTICLES = [f"/bai-{n}" for n in range(100)]
LIST = "".join(f'<li>Lượt xem: <i data-luot-views="{path}">…</i></li>' for path in ARTICLES)
BLOCK = '<visitor-counter lines="today,total" metric="views">đang tải</visitor-counter>'


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A new visitor."""
    context = browser.new_context(user_agent=BROWSER)
    context.add_init_script(HEARD)
    yield context
    context.close()


def ways(up: Up) -> dict[str, str]:
    """Return what `luot snippet` prints; a portal's page knows Luot by a name of its own."""
    return Snippet(host(up), "demo", PinnedScript("", "", "")).ways()


def host(up: Up) -> str:
    return f"http://thongke.example:{urlsplit(up.url).port}"


def asked(page: Page, up: Up) -> list[str]:
    """Return what a page asks Luot from now on but for scripts, as the browser's own log has it."""
    found: list[str] = []

    def note(event: dict[str, Any]) -> None:
        url, method = event["request"]["url"], event["request"]["method"]
        if url.startswith(host(up)) and event["type"] != "Script":
            found.append(f"{method} {urlsplit(url).path}")

    session = page.context.new_cdp_session(page)
    session.on("Network.requestWillBeSent", note)
    session.send("Network.enable")
    return found


def test_a_view_is_two_requests_and_no_preflight(
    portal: Portal, context: BrowserContext, up: Up
) -> None:
    block = "<visitor-counter></visitor-counter>"
    portal.page("/hai", f"{block}{block}<b data-luot-views>…</b>", head=ways(up)["script"])
    page = context.new_page()
    found = asked(page, up)
    before = up.settled_total()
    for view in range(1, 4):
        page.goto(portal.url("/hai"))
        page.locator("visitor-counter .known").last.wait_for()
        expect(page.locator("b")).not_to_have_text("…")
        up.wait_for_total(before + view)
    assert sorted(found) == [*["GET /api/counter/demo"] * 3, *["POST /e"] * 3]
    found.clear()
    page.evaluate(f"fetch('{host(up)}/e', {{method: 'PUT'}}).catch(() => 0)")
    page.wait_for_timeout(100)
    assert "OPTIONS /e" in found, "a preflight would not be seen"


def test_a_list_of_a_hundred_articles_is_one_read(
    portal: Portal, context: BrowserContext, up: Up
) -> None:
    before = up.settled_total()
    for path in ARTICLES[:3]:
        up.view(path)
    up.wait_for_total(before + 3)
    portal.page("/muc", LIST, head=ways(up)["script"])
    page = context.new_page()
    found = asked(page, up)
    page.goto(portal.url("/muc"))
    expect(page.locator("i", has_text="1")).to_have_count(3)
    expect(page.locator("i", has_text="0")).to_have_count(97)
    up.wait_for_total(before + 4)
    assert sorted(found) == ["GET /api/counter/demo", "POST /e"]


def test_a_strict_policy_holds_nothing_up(portal: Portal, context: BrowserContext, up: Up) -> None:
    before = up.settled_total()
    luot = host(up)
    policy = f"default-src 'none'; script-src {luot}; connect-src {luot}; img-src {luot}"
    headers = {"Content-Security-Policy": policy}
    body = f"{BLOCK}<p data-luot-views>…</p>"
    portal.page("/chat", body, head=ways(up)["script"], headers=headers)
    page = context.new_page()
    page.clock.install()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(portal.url("/chat"))
    becomes(page, page.locator("p").inner_text, "1")
    expect(page.locator("visitor-counter .known")).to_contain_text("Hôm nay: ")
    heading = page.locator("visitor-counter [part=heading]")
    assert heading.evaluate("(one) => getComputedStyle(one).fontWeight") == "700"
    # The portal's own icon is a data: address, which this policy does not name.
    assert [url for url in page.evaluate("heard") if url != "data"] == []
    assert [text for text in said if "data:," not in text] == []
    up.wait_for_total(before + 1)


def test_without_scripts_the_image_counts_the_page_that_it_is_on(
    portal: Portal, browser: Browser, up: Up
) -> None:
    portal.page("/khong-script", f"{ways(up)['image']}<p>chữ</p>", head="")
    context = browser.new_context(user_agent=BROWSER, java_script_enabled=False)
    before = up.settled_total()
    context.new_page().goto(portal.url("/khong-script"))
    up.wait_for_total(before + 1)
    context.close()
    assert up.counter(path="/khong-script")["paths"]["/khong-script"]["views"] == 1


@pytest.mark.parametrize("way", ["script", "late"])
def test_while_luot_hangs_a_page_is_as_without_it_and_counts_later(
    portal: Portal, context: BrowserContext, up: Up, way: str
) -> None:
    """The tag waits for its own file and for nothing else: its reader has that file already."""
    style = f"<style>{ways(up)['style']}</style>"
    body = f"{BLOCK}<p>ngay dưới khối</p>"
    portal.page("/treo", body, head=style + ways(up)[way])
    portal.page("/khong", body, head=style)
    page = context.new_page()
    before = up.settled_total()
    if way == "script":
        page.goto(portal.url("/treo"))
        before += 1
    up.wait_for_total(before)

    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    os.kill(up.process.pid, signal.SIGSTOP)
    try:
        places = []
        for path in ("/khong", "/treo"):
            page.goto(portal.url(path), wait_until="load", timeout=PATIENCE_SECONDS * 1000)
            page.wait_for_timeout(500)
            places.append(page.locator("p").bounding_box())
            assert page.evaluate("heard") == []
        assert places[0] == places[1]
        assert said == []
        expect(page.get_by_text("đang tải")).to_be_visible()
    finally:
        os.kill(up.process.pid, signal.SIGCONT)
    page.locator("visitor-counter .known").wait_for()
    up.wait_for_total(before + 1)


def test_a_luot_that_was_killed_leaves_its_last_numbers_and_the_page_as_it_is(
    portal: Portal, context: BrowserContext, tmp_path: Path
) -> None:
    up = Up(tmp_path / "data")
    style = f"<style>{ways(up)['style']}</style>"
    body = f"{BLOCK}<p>ngay dưới khối</p>"
    portal.page("/mat", body, head=style + ways(up)["script"])
    portal.page("/khong", body, head=style)
    page = context.new_page()
    page.clock.install()
    page.goto(portal.url("/mat"))
    block = page.locator("visitor-counter .known")
    block.wait_for()
    up.wait_for_total(1)
    up.end(signal.SIGKILL)

    shown = block.inner_text()
    page.clock.run_for(120_000)
    assert block.inner_text() == shown
    places = []
    for path in ("/khong", "/mat"):
        page.goto(portal.url(path), wait_until="load", timeout=PATIENCE_SECONDS * 1000)
        page.clock.run_for(120_000)
        places.append(page.locator("p").bounding_box())
        assert page.evaluate("heard") == []
        expect(page.get_by_text("đang tải")).to_be_visible()
    assert places[0] == places[1]
