"""One reader counts as one, in every engine."""

from urllib.parse import urlsplit

from tests.browser.engines.engine import Engine
from tests.browser.engines.place import Place


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
