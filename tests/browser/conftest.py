"""A real browser, and a portal whose requests are recorded."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.browser.portal import Portal
from tests.patience import PATIENCE_SECONDS
from tests.require import program
from tests.servers.up import BROWSER, COUNTED_SECONDS, Up

# A view is counted within a second or two, and pages ask every five; a busy machine takes longer.
expect.set_options(timeout=PATIENCE_SECONDS * 1000)

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-blink-features=AutomationControlled",
    # Portals have names: the browser finds them here, without a name server.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]

DESKTOP: ViewportSize = {"width": 1360, "height": 860}

Visit = Callable[..., Page]

# Into each page: what its scripts fail at, and what its policy refuses.
HEARD = """
    window.heard = [];
    addEventListener("error", (event) => heard.push(String(event.message)));
    addEventListener("unhandledrejection", (event) => heard.push(String(event.reason)));
    addEventListener("securitypolicyviolation", (event) => heard.push(event.blockedURI));
"""


def answered(page: Page) -> None:
    """Wait for an answer, and so for those of what the page has asked before."""
    page.evaluate("fetch('/').then((answer) => answer.text())")


def let_minutes_pass(page: Page, minutes: int) -> None:
    """Let the clock of a page run on, with an answer in each minute."""
    for _ in range(minutes):
        page.clock.run_for(60_000)
        answered(page)


def becomes(page: Page, read: Callable[[], Any], expected: Any) -> None:
    """Wait until a page shows this; its clock runs ahead to the next reading of the numbers."""
    for _ in range(int(COUNTED_SECONDS * 4)):
        if read() == expected:
            return
        page.clock.run_for(60_000)
        page.wait_for_timeout(250)
    assert read() == expected


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # No longer than a module: as long as Playwright is open, no other event loop may run here.
    # Without the parts of a window it takes a third of the processor time, with the same engine.
    chromium = program("chromium-headless-shell", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of a new visitor, whose clock a test may set; nothing may go wrong on its pages."""
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    context.close()
    assert failures == []


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A Luot in one process, for the tests of a module."""
    running = Up(tmp_path_factory.mktemp("up") / "data")
    yield running
    assert running.end() == 0


@pytest.fixture
def visit(browser: Browser, up: Up) -> Iterator[Visit]:
    """Open a page as a new visitor; nothing may be said in its console, or asked of others."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def strangers(url: str) -> None:
        if not url.startswith(up.url):
            said.append(url)

    def visit(path: str, **options: Any) -> Page:
        options = {"viewport": DESKTOP, "user_agent": BROWSER, **options}
        contexts.append(browser.new_context(locale="vi-VN", **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda asked: strangers(asked.url))
        if options.get("java_script_enabled", True):
            page.clock.install()
        page.goto(up.url + path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    portal.stop()
