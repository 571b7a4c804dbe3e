"""The address of hits is on no blocklist, in every engine."""

from tests.browser.engines.conftest import Start
from tests.browser.engines.place import Place

ASK = """["/event", "/e"].forEach((path) => fetch("%s/api" + path, { mode: "no-cors" }).then(
    () => { window[path] = "passed" }, () => { window[path] = "blocked" }))"""


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
