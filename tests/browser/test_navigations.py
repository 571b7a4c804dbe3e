"""Views counted are views made: a browser with its caches on, against a whole Luot."""

import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.portal import Portal
from tests.require import program
from tests.servers.up import BROWSER, Up

STEPS = 200
CHROMIUM = [*(flag for flag in ARGUMENTS if flag != "--headless"), "--headless=new"]
PAGES = [f"/trang-{n}" for n in range(6)]
LINKS = "".join(f'<p><a href="{path}">{path}</a></p>' for path in PAGES)
KEPT = "addEventListener('pageshow', (event) => { window.kept = event.persisted })"
RULES = (
    '<script type="speculationrules">{"prerender": [{"source": "list", "urls": ["/truoc"],'
    ' "eagerness": "immediate"}]}</script>'
)


@pytest.fixture
def page() -> Iterator[Page]:
    """A visitor whose browser keeps pages to come back to, as people's browsers do."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program("chromium"),
            args=CHROMIUM,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser.new_context(user_agent=BROWSER).new_page()
        browser.close()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Reader:
    """Goes about the portal at random, and keeps book of the pages seen."""

    def __init__(self, page: Page, portal: Portal, seed: int) -> None:
        self.seen: list[str] = []
        self.made: Counter[str] = Counter()
        self._page, self._portal = page, portal
        self._chance = random.Random(seed)
        # The entries of the browser's history: a document and a path each; and where it stands.
        self._history: list[tuple[int, str]] = []
        self._at = -1
        self._documents = 0
        self._answered: list[str] = []
        page.context.on(
            "response",
            lambda response: (
                self._answered.append(response.url) if response.url.endswith("/api/event") else None
            ),
        )

    def step(self) -> None:
        """Make one navigation, and wait until its view was sent, if it is one."""
        ways = [self._link, self._reload, self._push, self._replace, self._fragment, self._tab]
        if self._at > 0:
            ways += [self._back, self._back]
        if self._at < len(self._history) - 1:
            ways += [self._forward]
        way = self._chance.choice(ways) if self._history else self._link
        self.made[way.__name__.strip("_")] += 1
        way()
        wait_until(lambda: self._pumped() >= len(self.seen))
        assert len(self._answered) == len(self.seen), (way, self._answered, self.seen)

    def _pumped(self) -> int:
        self._page.wait_for_timeout(10)
        return len(self._answered)

    def _new(self, document: int, path: str) -> None:
        self._history[self._at + 1 :] = [(document, path)]
        self._at += 1

    def _link(self) -> None:
        path = self._chance.choice(PAGES)
        if self._history and self._page.url == self._portal.url(path):
            # A link to the very address that is shown loads it again, as a reload does.
            self._page.click(f'a[href="{path}"]', no_wait_after=True)
            self._loaded_again()
            return
        self._documents += 1
        if not self._history:
            self._page.goto(self._portal.url(path))
        else:
            self._page.click(f'a[href="{path}"]', no_wait_after=True)
        self._new(self._documents, path)
        self.seen.append(path)

    def _reload(self) -> None:
        self._page.reload(wait_until="commit")
        self._loaded_again()

    def _loaded_again(self) -> None:
        """Note that all entries of a document are of the new one that took its place."""
        document, path = self._history[self._at]
        self._documents += 1
        self._history = [
            (self._documents if entry[0] == document else entry[0], entry[1])
            for entry in self._history
        ]
        self.seen.append(path)

    def _push(self) -> None:
        document, now = self._history[self._at]
        path = self._chance.choice([*PAGES, now])
        self._page.evaluate(f"history.pushState({{}}, '', '{path}?lan={len(self.seen)}')")
        self._new(document, path)
        if path != now:
            self.seen.append(path)

    def _replace(self) -> None:
        document, _ = self._history[self._at]
        path = self._chance.choice(PAGES)
        self._page.evaluate(f"history.replaceState({{}}, '', '{path}')")
        self._history[self._at] = (document, path)

    def _fragment(self) -> None:
        document, path = self._history[self._at]
        self._page.evaluate(f"location.hash = 'muc-{self._chance.random()}'")
        self._new(document, path)

    def _back(self) -> None:
        self._go(-1)

    def _forward(self) -> None:
        self._go(1)

    def _go(self, by: int) -> None:
        before = self._history[self._at]
        self._at += by
        after = self._history[self._at]
        self._page.evaluate(f"setTimeout(() => history.go({by}))")
        if before[0] != after[0] or before[1] != after[1]:
            self.seen.append(after[1])
        else:
            self._page.wait_for_function(
                "(url) => location.pathname === url", arg=after[1], polling=20
            )

    def _tab(self) -> None:
        """Open a page in another tab, look at it, and close it."""
        path = self._chance.choice(PAGES)
        other = self._page.context.new_page()
        other.goto(self._portal.url(path), wait_until="commit")
        self.seen.append(path)
        wait_until(lambda: self._pumped() >= len(self.seen))
        other.close()


def test_two_hundred_navigations_are_as_many_views_as_pages_seen(
    up: Up, portal: Portal, page: Page, record_seed: Callable[[], int]
) -> None:
    tag = f'<script async src="{up.url}/counter.js" data-site="demo"></script>'
    for path in PAGES:
        portal.page(path, LINKS, head=tag)
    reader = Reader(page, portal, record_seed())
    for _ in range(STEPS):
        reader.step()

    up.wait_for_total(len(reader.seen))
    counted = {
        path: numbers["views"]
        for path, numbers in up.http.get("/api/counter/demo", params={"path": PAGES})
        .json()["paths"]
        .items()
    }
    assert counted == {path: reader.seen.count(path) for path in PAGES}
    assert set(reader.made) == {
        "link",
        "reload",
        "push",
        "replace",
        "fragment",
        "tab",
        "back",
        "forward",
    }


def test_a_page_that_is_kept_to_come_back_to_is_a_view_again(portal: Portal, page: Page) -> None:
    for path in PAGES:
        portal.page(path, LINKS)
    page.add_init_script(KEPT)
    page.goto(portal.url(PAGES[0]))
    portal.wait(views=1)
    page.click(f'a[href="{PAGES[1]}"]')
    portal.wait(views=2)
    page.evaluate("setTimeout(() => history.back())")
    portal.wait(views=3)
    page.wait_for_function("window.kept === true", polling=20)
    assert portal.paths() == [PAGES[0], PAGES[1], PAGES[0]]
    assert len(portal.of("GET", PAGES[0])) == 1


def test_a_prerendered_page_is_a_view_when_it_is_seen(portal: Portal, tmp_path: Path) -> None:
    portal.page("/truoc", "<script>addEventListener('load', () => fetch('/xong'))</script>")
    go = "<script>fetch('/go').then(() => { location.href = '/truoc' })</script>"
    portal.page("/", RULES + go)
    portal.stalled = {"/go"}
    # Nobody may hold it by the hand: a browser that is driven prerenders nothing.
    browser = subprocess.Popen(
        [
            program("chromium"),
            *(flag for flag in CHROMIUM if flag != "--disable-background-networking"),
            f"--user-data-dir={tmp_path}",
            f"--user-agent={BROWSER}",
            portal.url("/"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: len(portal.of("GET", "/xong")) == 1)
        wait_until(lambda: len(portal.of("GET", "/go")) == 1)
        portal.wait(views=1)
        assert "prerender" in portal.of("GET", "/truoc")[0].headers["sec-purpose"]
        assert portal.paths() == ["/"]

        portal.stalled = set()
        portal.wait(views=2)
        assert portal.paths() == ["/", "/truoc"]
        assert len(portal.of("GET", "/truoc")) == 1
    finally:
        browser.terminate()
        browser.wait(10)
