"""A page loads with Luot as without it: on a slow machine, too, nothing waits for it or moves.

How long that takes is measured by `python -m benchmarks loading`, by the same code.
"""

from typing import Any

from playwright.sync_api import Browser

from benchmarks import loading
from services.widget import scripts
from services.widget.snippet import PinnedScript, Snippet
from tests.browser.portal import SITE, Portal

TEXT = "<h1>Cổng thông tin</h1>" + "<p>Tin tức của địa phương.</p>" * 20
PAINTED = "performance.getEntriesByName('first-contentful-paint').length"
OF_LUOT = """() => performance.getEntriesByType("resource")
    .filter(({ name }) => new URL(name).host !== location.host)
    .map((entry) => [new URL(entry.name).pathname, entry.renderBlockingStatus])"""


def put_up(portal: Portal) -> None:
    """Put up a page without Luot, and with it as the snippet has it."""
    ways = Snippet(portal.luot, SITE, PinnedScript("", "", "")).ways()
    head = f"{ways['script']}<style>{ways['style']}</style>"
    portal.page("/without", TEXT, head="")
    portal.page("/with", f"{ways['block']}{TEXT}", head=head)


def test_on_a_slow_machine_nothing_moves_and_everything_comes(
    portal: Portal, browser: Browser
) -> None:
    put_up(portal)
    without = loading.load(browser, portal.url("/without"), shows=False)
    assert portal.views() == []
    beside = loading.load(browser, portal.url("/with"), shows=True)
    portal.wait(views=1, reads=1)
    assert without.shift == beside.shift == 0
    assert 0 < without.first <= without.largest
    assert 0 < beside.first <= beside.largest
    assert beside.shown is not None
    # The numbers come when the page is there, and not before.
    assert beside.first < beside.shown


def test_a_page_is_painted_and_ready_before_the_script_has_come(
    portal: Portal, browser: Browser
) -> None:
    put_up(portal)
    # With the clock of the browser: that of other tests knows no paint.
    page = browser.new_page()
    portal.stalled = {"/counter.js"}
    page.goto(portal.url("/with"), wait_until="domcontentloaded")
    page.wait_for_function(PAINTED, polling=50)
    assert [asked.path for asked in portal.asked if asked.headers["host"].startswith("thong")] == [
        "/counter.js"
    ]
    portal.stalled = set()
    page.locator("visitor-counter .known").wait_for()
    portal.wait(views=1, reads=1)
    # The browser knows of a request when its answer has come, after the portal knows of it.
    page.wait_for_function(f"({OF_LUOT})().some(([path]) => path === '/e')", polling=50)
    found: list[list[Any]] = page.evaluate(OF_LUOT)
    assert {status for _, status in found} == {"non-blocking"}
    # The script; then the hit, before the numbers and what shows them.
    asked = [path for path, _ in found]
    assert asked[0] == "/counter.js"
    assert set(asked[1:]) == {"/e", f"{scripts.VERSIONED}/blocks.js", f"/api/counter/{SITE}"}
    assert asked.index("/e") < asked.index(f"/api/counter/{SITE}")
    page.close()
