"""Views counted are views made: a browser as people use it, against a whole Luot."""

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest

from tests.browser.portal import Portal
from tests.browser.visitor import Visitor
from tests.servers.up import Up

STEPS = 200
PAGES = [f"/trang-{n}" for n in range(6)]
LINKS = "".join(f'<p><a href="{path}">{path}</a></p>' for path in PAGES)
# The page says when it was loaded (what it does before that takes the place of its entry in the
# history, and nothing leads back), whether it has come back from the browser's cache, and how often
# its address was changed by the browser's buttons.
NOTES = """<script>
window.moves = 0;
addEventListener("load", () => setTimeout(() => { window.loaded = true }));
addEventListener("popstate", () => { moves += 1 });
addEventListener("load", () => fetch("/xong"));
addEventListener("pageshow", (event) => { window.kept = event.persisted });
</script>"""
RULES = '{"prerender": [{"source": "list", "urls": ["%s"], "eagerness": "immediate"}]}'
ACCEPTED = re.compile(r'^luot_hits_total\{outcome="accepted"\} (\S+)$', re.MULTILINE)


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    with Visitor(tmp_path / "profile") as visitor:
        yield visitor


def comes(true: Callable[[], object], seconds: float) -> bool:
    """Tell whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def wait_until(true: Callable[[], object]) -> None:
    assert comes(true, seconds=120)


def wait_until_loaded(visitor: Visitor, tab: str) -> None:
    wait_until(lambda: visitor.ask(tab, "window.loaded") is True)


class Entry(NamedTuple):
    """One entry of a tab's history: the document that it is of, and its address."""

    document: int
    path: str
    url: str


class Reader:
    """Goes about the portal at random, and keeps book of the pages seen.

    returned         pages that the browser had kept to come back to
    rendered_before  pages that were there before they were asked for

    `taken` tells how many views Luot has taken so far.
    """

    # How often each way is gone, where it can be gone.
    WAYS: ClassVar = {
        "link": 2,
        "reload": 1,
        "push": 1,
        "replace": 1,
        "fragment": 1,
        "back": 2,
        "forward": 3,
        "tab_in_front": 1,
        "tab_behind": 1,
        "away": 1,
        "prerender": 1,
    }

    def __init__(
        self, visitor: Visitor, portal: Portal, taken: Callable[[], int], seed: int
    ) -> None:
        self.seen: list[str] = []
        self.made: Counter[str] = Counter()
        self.returned = 0
        self.rendered_before = 0
        self._visitor, self._portal, self._taken = visitor, portal, taken
        self._chance = random.Random(seed)
        self._history = [Entry(0, PAGES[0], portal.url(PAGES[0]))]
        self._at = 0
        self._documents = 0
        self._tab = visitor.open(portal.url(PAGES[0]))
        self._saw(PAGES[0])

    def step(self) -> None:
        """Make a navigation at random."""
        chances = dict(self.WAYS)
        if self._at == 0:
            del chances["back"]
        if self._at == len(self._history) - 1:
            del chances["forward"]
        (way,) = self._chance.choices([*chances], [*chances.values()])
        self.take(way)

    def take(self, way: str, *where: str) -> None:
        """Make this navigation, and wait until all of its views were taken, none too many."""
        self.made[way] += 1
        wait_until_loaded(self._visitor, self._tab)
        getattr(self, f"_{way}")(*where)
        wait_until(lambda: self._taken() >= len(self.seen))
        assert self._taken() == len(self.seen), (way, self.seen[-3:])

    def _saw(self, path: str) -> None:
        """Note a view; return when it was taken and the tab shows this page."""
        self.seen.append(path)
        wait_until(lambda: self._taken() >= len(self.seen))

    def _ask(self, expression: str, tab: str = "") -> object:
        return self._visitor.ask(tab or self._tab, expression)

    def _do(self, action: str) -> None:
        """Let the page do it by itself, a moment later: nobody is attached to it then."""
        self._visitor.evaluate(self._tab, f"void setTimeout(() => {{ {action} }}, 20)")

    def _now(self) -> Entry:
        return self._history[self._at]

    def _new(self, document: int, path: str) -> None:
        """Note a new entry of the history, at the address that the tab shows."""
        self._history[self._at + 1 :] = [Entry(document, path, str(self._ask("location.href")))]
        self._at += 1

    def _other(self) -> str:
        return self._chance.choice([path for path in PAGES if path != self._now().path])

    def _loaded(self, path: str) -> None:
        """Note that another document has come into the tab."""
        self._saw(path)
        wait_until(lambda: self._ask("location.pathname") == path)
        self._documents += 1
        self._new(self._documents, path)

    def _link(self, to: str = "") -> None:
        path = to or self._chance.choice(PAGES)
        same = self._now().url == self._portal.url(path)
        self._do(f"document.querySelector('a[href=\"{path}\"]').click()")
        if same:
            # To the very address that is shown: Chromium reloads it. All entries of the document
            # are of the one that takes its place, and to go between them loads nothing.
            self._saw(path)
        else:
            self._loaded(path)

    def _reload(self) -> None:
        # All entries of the document are of the one that takes its place.
        self._do("location.reload()")
        self._saw(self._now().path)

    def _push(self) -> None:
        document, now, _ = self._now()
        path = self._chance.choice([*PAGES, now])
        self._ask(f"history.pushState({{}}, '', '{path}?lan={len(self.seen)}')")
        self._new(document, path)
        if path != now:
            self._saw(path)

    def _replace(self) -> None:
        path = self._chance.choice(PAGES)
        self._ask(f"history.replaceState({{}}, '', '{path}')")
        entry = Entry(self._now().document, path, self._portal.url(path))
        self._history[self._at] = entry

    def _fragment(self) -> None:
        document, path, _ = self._now()
        self._ask(f"location.hash = 'muc-{self._chance.random()}'")
        self._new(document, path)

    def _back(self) -> None:
        self._go(-1)

    def _forward(self) -> None:
        self._go(1)

    def _go(self, by: int) -> None:
        before = self._now()
        self._at += by
        after = self._now()
        moves = self._ask("window.moves")
        self._do(f"history.go({by})")
        if before.document == after.document:
            wait_until(lambda: self._ask("window.moves") != moves)
            if before.path != after.path:
                self._saw(after.path)
        else:
            self._saw(after.path)
            wait_until(lambda: self._ask("location.href") == after.url)
            self.returned += self._ask("window.kept") is True

    def _tab_in_front(self) -> None:
        """Open a page in another tab, look at it, and come back."""
        path = self._chance.choice(PAGES)
        tab = self._visitor.open(self._portal.url(path))
        self._saw(path)
        assert self._ask("document.hidden") is True
        self._back_from(tab)

    def _tab_behind(self) -> None:
        """Open a page in a tab behind this one; look at it perhaps, or close it unseen."""
        path = self._chance.choice(PAGES)
        tab = self._visitor.open(self._portal.url(path), behind=True)
        wait_until(lambda: self._ask("!!window.__luot && document.readyState", tab) == "complete")
        assert self._ask("document.hidden", tab) is True
        assert self._taken() == len(self.seen)
        if self._chance.random() < 0.5:
            self._visitor.show(tab)
            self._saw(path)
        self._back_from(tab)

    def _away(self) -> None:
        """Let the page go on to another address while another tab is looked at."""
        tab = self._visitor.open("about:blank")
        wait_until(lambda: self._ask("document.hidden") is True)
        document, path = self._now().document, self._other()
        self._ask(f"history.pushState({{}}, '', '{path}?vang={len(self.seen)}')")
        self._new(document, path)
        assert self._taken() == len(self.seen)
        self._back_from(tab)
        self._saw(path)

    def _back_from(self, tab: str) -> None:
        self._visitor.close(tab)
        self._visitor.show(self._tab)
        wait_until(lambda: self._ask("document.hidden") is False)

    def _prerender(self) -> None:
        """Have a page rendered before anybody asks for it; go there perhaps."""
        path = self._other()
        goes = self._chance.random() < 0.7
        before = len(self._rendered(path))
        loaded = len(self._portal.of("GET", "/xong"))
        self._portal.stalled.add("/go")
        # An address of its own: what a document has had rendered before, it keeps.
        url = f"{path}?truoc={sum(self.made.values())}"
        then = f"location.href = '{url}'" if goes else ""
        self._do(
            "document.body.append(Object.assign(document.createElement('script'),"
            f" {{ type: 'speculationrules', textContent: '{RULES % url}' }}));"
            f" fetch('/go').then(() => {{ {then} }})"
        )
        # Chromium may find itself too busy for that; going there is then a link like any other.
        rendered = comes(lambda: len(self._rendered(path)) > before, seconds=3)
        if rendered:
            wait_until(lambda: len(self._portal.of("GET", "/xong")) > loaded)
        assert self._taken() == len(self.seen)
        fetched = len(self._portal.of("GET", path))
        self._portal.stalled.clear()
        if goes:
            self._loaded(path)
            self.rendered_before += len(self._portal.of("GET", path)) == fetched

    def _rendered(self, path: str) -> list[str]:
        asked = self._portal.of("GET", path)
        return [one.path for one in asked if "prerender" in one.headers.get("sec-purpose", "")]


@pytest.mark.timeout(1200)  # forty seconds on a machine with time to spare
def test_two_hundred_navigations_are_as_many_views_as_pages_seen(
    up: Up, portal: Portal, visitor: Visitor, record_seed: Callable[[], int]
) -> None:
    tag = f'<script async src="{up.url}/counter.js" data-site="demo"></script>'
    for path in PAGES:
        portal.page(path, LINKS + NOTES, head=tag)

    def taken() -> int:
        match = ACCEPTED.search(up.http.get("/metrics").text)
        return int(float(match[1])) if match else 0

    reader = Reader(visitor, portal, taken, record_seed())
    while sum(reader.made.values()) < STEPS:
        reader.step()

    up.wait_for_total(len(reader.seen))
    pages = up.counter(path=PAGES)["paths"]
    counted = {path: numbers["views"] for path, numbers in pages.items()}
    assert counted == {path: reader.seen.count(path) for path in PAGES}
    assert len(reader.made) == len(Reader.WAYS), reader.made
    assert reader.returned > 0
    assert reader.rendered_before > 0


def test_a_fragment_of_a_page_that_a_link_has_loaded_again_is_no_view(
    portal: Portal, visitor: Visitor
) -> None:
    for path in PAGES:
        portal.page(path, LINKS + NOTES)
    reader = Reader(visitor, portal, lambda: len(portal.views()), seed=0)
    reader.take("fragment")
    reader.take("back")
    reader.take("link", PAGES[0])
    reader.take("forward")
    reader.take("back")
    assert reader.seen == portal.paths() == [PAGES[0]] * 2


def test_a_link_to_the_address_that_is_shown_is_a_view_and_its_fragments_are_none(
    portal: Portal, visitor: Visitor
) -> None:
    path = PAGES[0]
    portal.page(path, LINKS + NOTES)
    tab = visitor.open(portal.url(path))
    portal.wait(views=1)

    def go(action: str, to: str) -> None:
        wait_until_loaded(visitor, tab)
        visitor.evaluate(tab, f"void setTimeout(() => {{ {action} }})")
        wait_until(lambda: visitor.ask(tab, "location.href") == portal.url(to))

    go("location.hash = 'muc'", f"{path}#muc")
    go("history.back()", path)
    go(f"document.querySelector('a[href=\"{path}\"]').click()", path)
    portal.wait(views=2)
    go("history.forward()", f"{path}#muc")
    go("history.back()", path)
    # Within the document that the link has loaded: nothing else was shown.
    wait_until(lambda: visitor.ask(tab, "window.moves") == 2)
    visitor.evaluate(tab, "void setTimeout(() => location.reload())")
    portal.wait(views=3)
    assert len(portal.of("GET", path)) == 3


def test_a_page_that_is_kept_to_come_back_to_is_a_view_again(
    portal: Portal, visitor: Visitor
) -> None:
    for path in PAGES:
        portal.page(path, LINKS + NOTES)
    tab = visitor.open(portal.url(PAGES[0]))
    portal.wait(views=1)
    wait_until_loaded(visitor, tab)
    visitor.evaluate(tab, f"void setTimeout(() => {{ location.href = '{PAGES[1]}' }})")
    portal.wait(views=2)
    wait_until_loaded(visitor, tab)
    visitor.evaluate(tab, "void setTimeout(() => history.back())")
    portal.wait(views=3)
    wait_until(lambda: visitor.ask(tab, "location.pathname") == PAGES[0])
    wait_until(lambda: visitor.ask(tab, "window.kept") is True)
    assert portal.paths() == [PAGES[0], PAGES[1], PAGES[0]]
    assert len(portal.of("GET", PAGES[0])) == 1


def test_a_prerendered_page_is_a_view_when_it_is_seen(portal: Portal, visitor: Visitor) -> None:
    portal.page("/truoc", NOTES)
    rules = f'<script type="speculationrules">{RULES % "/truoc"}</script>'
    go = "<script>fetch('/go').then(() => { location.href = '/truoc' })</script>"
    portal.page("/", rules + go)
    portal.stalled = {"/go"}
    visitor.open(portal.url("/"))
    wait_until(lambda: len(portal.of("GET", "/xong")) == 1)
    portal.wait(views=1)
    assert "prerender" in portal.of("GET", "/truoc")[0].headers["sec-purpose"]
    assert portal.paths() == ["/"]

    portal.stalled = set()
    portal.wait(views=2)
    assert portal.paths() == ["/", "/truoc"]
    assert len(portal.of("GET", "/truoc")) == 1
    assert "sec-purpose" not in portal.of("POST", "/e")[1].headers


def test_a_page_that_was_left_unseen_and_is_come_back_to_is_one_view(
    portal: Portal, visitor: Visitor
) -> None:
    for path in ("/a", "/b", "/sau"):
        portal.page(path, NOTES)
    visitor.open(portal.url("/a"))
    portal.wait(views=1)
    behind = visitor.open(portal.url("/sau"), behind=True)
    wait_until(lambda: len(portal.of("GET", "/xong")) == 2)
    visitor.evaluate(behind, "void setTimeout(() => { location.href = '/b' })")
    wait_until(lambda: len(portal.of("GET", "/xong")) == 3)
    visitor.show(behind)
    portal.wait(views=2)
    visitor.evaluate(behind, "void setTimeout(() => history.back())")
    portal.wait(views=3)
    wait_until(lambda: visitor.ask(behind, "location.pathname") == "/sau")
    wait_until(lambda: visitor.ask(behind, "window.kept") is True)
    visitor.evaluate(behind, "void setTimeout(() => history.forward())")
    portal.wait(views=4)
    assert portal.paths() == ["/a", "/b", "/sau", "/b"]
