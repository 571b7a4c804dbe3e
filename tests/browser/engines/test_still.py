"""What a page with a block costs its reader, in every engine: two requests a view, and no move."""

from typing import Any

import pytest

from services.model.display import Preset
from services.widget.snippet import PinnedScript, Snippet
from tests.browser.engines.engine import Engine
from tests.browser.engines.place import Place

KNOWN = "!!document.querySelector('visitor-counter')?.shadowRoot?.querySelector('.known')"
PLACED = "document.getElementById('below').getBoundingClientRect().top"
# At every frame until the end: where what stands below the block is.
WATCH = (
    f"<script>window.places = []; (function note() {{ places.push({PLACED});"
    " requestAnimationFrame(note); })()</script>"
)
LOOKS: dict[str, dict[str, Any]] = {
    "usual": {},
    "digits": {"digits": 11},
    "card": {"layout": "card", "icons": "line"},
}


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_below_a_block_moves_when_its_numbers_come(
    engine: Engine, place: Place, look: str
) -> None:
    for preset in Preset:
        shown = {"preset": preset, **LOOKS[look]}
        ways = Snippet(place.luot(), place.site, PinnedScript("", "", ""), shown).ways()
        below = f'<p id="below">ngay dưới khối</p>{WATCH}'
        head = f"{place.way('script')}<style>{ways['style']}</style>"
        engine.open(place.page(f"/{preset}", f"{ways['block']}{below}", head=head))
        engine.wait(KNOWN)
        drawn = engine.evaluate("places.length")
        engine.wait(f"places.length > {drawn + 2}")
        assert len(engine.evaluate("[...new Set(places)]")) == 1, preset


def test_a_view_of_a_page_with_a_block_is_two_requests(engine: Engine, place: Place) -> None:
    for path in ("/", "/bai-1"):
        place.page(path, "<visitor-counter></visitor-counter>")
    engine.open(place.url("/"))
    engine.wait(KNOWN)
    before = len(place.between.asked)
    engine.follow(place.url("/bai-1"))
    engine.wait(KNOWN)
    assert place.sent(posts=2)
    asked = {(one.method, one.path) for one in place.between.asked[before:]}
    assert asked == {("POST", "/e"), ("GET", f"/api/counter/{place.site}")}
    assert len(place.between.asked) == before + 2
