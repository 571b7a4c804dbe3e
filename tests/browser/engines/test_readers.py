"""Every reader is seen, and counts as one, in every engine."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.engines.conftest import Start
from tests.browser.engines.engine import Engine, Silence, comes
from tests.browser.engines.old import open_in_old_engine
from tests.browser.engines.place import Place

BLOCK = '<visitor-counter lines="today,total"></visitor-counter>'
SHOWN = "document.querySelector('visitor-counter')?.shadowRoot?.querySelector('.known')?.innerText"
ASK = """["/event", "/e"].forEach((path) => fetch("%s/api" + path, { mode: "no-cors" }).then(
    () => { window[path] = "passed" }, () => { window[path] = "blocked" }))"""


def shown(engine: Engine, address: str) -> str:
    """Return what the block of a page shows when it is opened."""
    engine.open(address)
    return str(engine.wait(SHOWN))


@pytest.mark.parametrize(
    ("name", "silence"),
    [("chromium", Silence.DNT), ("firefox", Silence.DNT), ("firefox", Silence.GPC)],
    indirect=["name"],
)
def test_a_reader_who_asks_not_to_be_tracked_starts_a_visit_when_coming_from_outside(
    start: Start, place: Place, silence: Silence
) -> None:
    engine = start(silence=silence)
    place.page("/tim-kiem", head="")
    address, article = place.page("/"), place.page("/bai-1")
    engine.open(place.url("/tim-kiem", "search.example"))
    engine.follow(address)
    assert place.sent(posts=1)
    engine.follow(article)
    assert place.sent(posts=2)
    assert {post.headers.get(silence) for post in place.between.posts()} == {"1"}
    assert place.pages() == {"/": 1, "/bai-1": 1}
    assert (place.visits(), place.visitors()) == (1, 0)

    engine.open(article)
    assert place.sent(posts=3)
    assert place.pages() == {"/": 1, "/bai-1": 2}
    assert (place.visits(), place.visitors()) == (2, 0)


@pytest.mark.parametrize("options", [{"views_only": True}])
def test_a_site_of_views_only_shows_views(engine: Engine, place: Place) -> None:
    address = place.page("/", BLOCK)
    for number in range(1, 4):
        engine.open(address)
        assert place.sent(posts=number)
    assert place.pages() == {"/": 3}
    assert place.visits() == place.visitors() == 0
    # Each reading of the pages is a view of our own.
    total = 3 + place.marks
    address = place.page("/so-lieu", BLOCK, driven=True)
    assert comes(lambda: shown(engine, address).endswith(f"Tổng lượt truy cập: {total}"))
    assert place.sent(posts=3)


def test_the_line_for_old_browsers_does_nothing_in_this_one(engine: Engine, place: Place) -> None:
    head = place.way("old") + place.way("script")
    engine.open(place.page("/", head=head))
    assert place.sent(posts=1)
    engine.open(place.page("/khong", head=place.way("old")))
    engine.wait("document.readyState === 'complete'")
    assert place.pages() == {"/": 1}
    assert place.sent(posts=1)


@pytest.mark.parametrize("order", [["old", "script"], ["script", "old"], ["old"]])
def test_the_line_for_old_browsers_counts_once_in_an_engine_without_modules(
    place: Place, tmp_path: Path, order: list[str]
) -> None:
    head = "".join(place.way(name) for name in order).replace(" async", "")
    open_in_old_engine(place.page("/bai-1", head=head), tmp_path)
    assert place.sent(images=1)
    assert place.pages() == {"/bai-1": 1}
    assert place.visits() == 1


def test_an_image_that_says_which_page_it_is_on_counts_that_page(
    engine: Engine, place: Place
) -> None:
    named = place.way("image_alone").replace('" width', '&amp;u=%2Fbai-1" width', 1)
    engine.open(place.page("/bai-1", named, head=""))
    assert place.sent(images=1, twice=engine.twice)
    assert place.pages() in [{"/bai-1": times} for times in range(1, 2 + engine.twice)]


def test_an_image_that_does_not_say_its_page_counts_it_only_where_the_browser_tells(
    engine: Engine, place: Place
) -> None:
    engine.open(place.page("/bai-1", place.way("image_alone"), head=""))
    assert place.sent(images=1, twice=engine.twice)
    path = "(unknown)" if engine.cuts else "/bai-1"
    assert place.pages() in [{path: times} for times in range(1, 2 + engine.twice)]


def test_a_view_whose_request_the_browser_repeats_counts_once(engine: Engine, place: Place) -> None:
    engine.open(place.page("/"))
    assert place.sent(posts=1)
    place.between.breaking = True
    engine.evaluate("history.pushState({}, '', '/bai-1')")
    posts = 3 if engine.repeats else 2
    assert place.sent(posts)
    engine.evaluate("history.pushState({}, '', '/bai-2')")
    assert place.sent(posts + 1)

    hits = place.between.hits()
    assert [urlsplit(hit["u"]).path for hit in hits[1:-1]] == ["/bai-1"] * (posts - 1)
    assert len({hit["k"] for hit in hits}) == 3
    assert not place.between.breaking
    assert place.pages() == {"/": 1, "/bai-1": 1, "/bai-2": 1}


def test_a_page_of_the_portal_in_a_frame_of_the_portal_counts_once(
    engine: Engine, place: Place
) -> None:
    place.page("/lich-cong-tac", "<p>lịch</p>")
    engine.open(place.page("/", '<iframe src="/lich-cong-tac"></iframe>'))
    engine.wait("window.__luot && frames[0].__luot && document.readyState === 'complete'")
    assert place.sent(posts=1)
    assert place.pages() == {"/": 1}
    assert place.sent(posts=1)


def test_the_addresses_of_a_reader_in_one_ipv6_network_are_one_visitor(
    engine: Engine, place: Place
) -> None:
    """As privacy extensions change it (RFC 8981); a trusted proxy tells the address to Luot."""
    address = place.page("/")
    visits: list[int] = []
    for sender in ("2001:db8:1:2::a1", "2001:db8:1:2:f00d::b2", "2001:db8:1:3::a1"):
        place.between.address = sender
        engine.open(address)
        assert place.sent(posts=len(visits) + 1)
        visits.append(place.visits())
    assert visits == [1, 1, 2]
    assert place.pages() == {"/": 3}


def test_the_script_is_let_through_where_a_blocker_takes_the_event(
    start: Start, place: Place
) -> None:
    engine = start(blocking=True)
    host = "stats.example"
    engine.open(place.page("/", head=place.way("script", host)))
    assert place.sent(posts=1)
    engine.evaluate(f"void {ASK % place.luot(host)}")
    engine.wait("window['/event'] && window['/e']")
    assert engine.evaluate("[window['/event'], window['/e']]") == ["blocked", "passed"]
    assert [post.path for post in place.between.posts()] == ["/e"]
    assert {asked.headers["host"].partition(":")[0] for asked in place.between.asked} == {host}
    assert place.pages() == {"/": 1}
