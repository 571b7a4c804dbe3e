"""Luot is away, broken or slow: the portal's page is as if there were no Luot."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import HEARD, answered
from tests.browser.portal import LUOT, Portal
from tests.browser.test_views import TODAY
from tests.patience import PATIENCE_SECONDS

BODY = f'{TODAY}<div id="list"></div><visitor-counter>đang tải</visitor-counter><p>cuối</p>'
# As `luot snippet` prints it: what keeps the block's place is the portal's own.
STYLE = "<style>visitor-counter { display: block; min-height: 20em }</style>"
LAYOUT = """() => [...document.querySelectorAll("span, #list, p")]
    .map((element) => [element.localName, element.innerText, element.getBoundingClientRect().y])"""
FAILED = "Failed to load resource"


def opened(page: Page, url: str, *, hangs: bool = False) -> dict[str, Any]:
    """Open a page, let half an hour pass on it and go on to another; tell what it was like."""
    said: list[str] = []
    asked: set[Request] = set()
    listeners: dict[str, Callable[[Any], None]] = {
        "console": lambda message: said.append(f"{message.text} {message.location['url']}"),
        # Playwright writes on what it is given, which a built-in method does not take.
        "request": lambda request: asked.add(request),
        "requestfinished": lambda request: asked.discard(request),
        "requestfailed": lambda request: asked.discard(request),
    }
    for event, listener in listeners.items():
        page.on(event, listener)  # type: ignore[call-overload]

    def hear_out() -> None:
        """Let the page hear how its last requests went."""
        for _ in range(0 if hangs else 100):
            if asked:
                page.wait_for_timeout(20)

    page.goto(url, wait_until="load", timeout=PATIENCE_SECONDS * 1000)
    hear_out()
    layout = page.evaluate(LAYOUT)
    for _ in range(30):
        hear_out()
        page.clock.run_for(60_000)
    page.evaluate("history.pushState({}, '', '/next')")
    page.clock.run_for(1000)
    answered(page)
    later = page.evaluate(LAYOUT)
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    return {"layout": [layout, later], "heard": page.evaluate("heard"), "said": said}


@pytest.mark.parametrize(
    "fault", ["500", "hang", "garbage", "nonsense", "refused", "no fetch", "blocked"]
)
@pytest.mark.parametrize("place", ["kept", "not kept"])
def test_the_page_is_as_without_luot(portal: Portal, page: Page, fault: str, place: str) -> None:
    page.add_init_script(HEARD)
    style = STYLE if place == "kept" else ""
    portal.page("/", BODY, head=style)
    without = opened(page, portal.url("/"))
    assert without["said"] == []

    portal.page("/", BODY, head=portal.tag() + style)
    faults: dict[str, Callable[[], Any]] = {
        "refused": lambda: page.route("**/api/**", lambda route: route.abort("connectionrefused")),
        "blocked": lambda: page.route("**/counter.js", lambda route: route.abort()),
        "no fetch": lambda: page.add_init_script("window.fetch = undefined"),
    }
    faults.get(fault, lambda: setattr(portal, "fault", fault))()
    if fault == "no fetch":
        page.goto(portal.url("/"), wait_until="load")
        assert page.evaluate("heard") == []
        assert page.locator("span").first.inner_text() == "…"
        return
    with_luot = opened(page, portal.url("/"), hangs=fault == "hang")

    assert with_luot["layout"] == without["layout"]
    assert with_luot["heard"] == []
    expect(page.get_by_text("đang tải")).to_be_visible()
    # That a request failed is written by Chromium itself, and no page can prevent it; so little is
    # asked. What hangs or cannot be read is not even that.
    assert all(said.startswith(FAILED) and LUOT in said for said in with_luot["said"])
    most = {"500": 12, "refused": 12, "blocked": 1}.get(fault, 0)
    assert len(with_luot["said"]) <= most, with_luot["said"]


def test_a_script_that_does_not_come_does_not_hold_up_the_page(portal: Portal, page: Page) -> None:
    portal.stalled = {"/counter.js"}
    portal.page("/", BODY)
    page.goto(portal.url("/"), wait_until="domcontentloaded", timeout=PATIENCE_SECONDS * 1000)
    assert page.evaluate("document.readyState") == "interactive"
    expect(page.get_by_text("cuối")).to_be_visible()

    portal.stalled = set()
    expect(page.locator("visitor-counter .known")).to_contain_text("6.325")
    portal.wait(views=1)


def test_a_hanging_luot_does_not_delay_the_load_event(portal: Portal, page: Page) -> None:
    portal.fault = "hang"
    portal.page("/", BODY)
    page.goto(portal.url("/"), wait_until="load", timeout=PATIENCE_SECONDS * 1000)
    portal.wait(views=1, reads=1)
    assert page.evaluate("document.readyState") == "complete"


@pytest.mark.parametrize("fault", ["500", "garbage", "nonsense"])
def test_on_a_fault_the_block_keeps_its_last_text(portal: Portal, page: Page, fault: str) -> None:
    portal.page("/", BODY)
    page.goto(portal.url("/"))
    shown = page.locator("visitor-counter .known")
    expect(shown).to_contain_text("Hôm nay: 6.325")
    before = shown.inner_text()

    portal.fault = fault
    page.clock.run_for(60_000)
    portal.wait(views=1, reads=2)
    answered(page)
    assert shown.inner_text() == before
    assert page.locator("span").first.inner_text() == "6.325"


def test_numbers_that_are_none_are_not_shown(portal: Portal, page: Page) -> None:
    portal.numbers = {"today": {"html": "<b>"}, "total": 5, "online": "many", "paths": 3}
    portal.page(
        "/", f'{TODAY}<b data-luot="online">?</b><i data-luot-views>–</i><u data-luot="total"></u>'
    )
    page.goto(portal.url("/"))
    expect(page.locator("u")).to_have_text("5")
    assert [page.locator(tag).inner_text() for tag in ("span", "b", "i")] == ["…", "?", "–"]
