"""What a page with a block costs its reader, in every engine: two requests a view, and no move.

A block keeps its shape, whatever the page around it is like.
"""

import json
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
PAGE = (
    "<style>main { font: 16px sans-serif; letter-spacing: .3em; text-transform: uppercase;"
    " font-style: italic; text-shadow: 2px 2px red; word-spacing: 1em; text-indent: 2em }</style>"
)
SHOWN = """(() => {
    const blocks = [...document.querySelectorAll('visitor-counter')];
    return blocks.length && blocks.every((one) => one.shadowRoot?.querySelector('.known'));
})()"""
FOUND = """(() => [...document.querySelectorAll('visitor-counter')].map((one) => {
    const box = one.shadowRoot.querySelector('.known');
    const edges = box.getBoundingClientRect();
    const part = (name) => [...box.querySelectorAll(`[part=${name}]`)];
    const lies = (node, from, to) => {
        const range = document.createRange();
        range.setStart(node.firstChild, from);
        range.setEnd(node.firstChild, to);
        return range.getBoundingClientRect();
    };
    const style = getComputedStyle(part('label')[0]);
    const wrong = [];
    for (const cell of part('digit')) {
        const tile = cell.getBoundingClientRect(), ink = lies(cell, 0, 1);
        if (tile.left < edges.left || tile.right > edges.right) wrong.push('digit outside');
        const off = (tile.left + tile.right - ink.left - ink.right) / 2;
        if (Math.abs(off) > 1.5) wrong.push('digit off by ' + off);
    }
    for (const label of [...part('label'), ...part('value')]) {
        for (const { 0: word, index } of label.textContent.matchAll(/[^ ]+/g)) {
            const first = lies(label, index, index + 1);
            const last = lies(label, index + word.length - 1, index + word.length);
            if (Math.abs(first.top - last.top) > 3) wrong.push('broken: ' + word);
            if (word.length > 1 && last.left < first.left) wrong.push('turned: ' + word);
            if (last.right > edges.right + 1) wrong.push('outside: ' + word);
        }
    }
    return [[...new Set(wrong)], [style.letterSpacing, style.textTransform, style.fontStyle,
        style.textShadow]];
}))()"""


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


def test_a_block_fits_narrow_columns_and_takes_no_style_of_the_page(
    engine: Engine, place: Place
) -> None:
    columns = [
        f'<div dir="{turn}" style="width: {width}px"><visitor-counter preset="{preset}"'
        f' digits="{digits}" lines="today,total" icons="{icons}"></visitor-counter></div>'
        for preset in ("plain", "dnn", "drupal")
        for width, digits, icons in (
            *((width, 11, "none") for width in (120, 200)),
            (130, 11, "line"),
            (220, 20, "tile"),
        )
        for turn in ("ltr", "rtl")
    ]
    engine.open(place.page("/", f"{PAGE}<main>{''.join(columns)}</main>"))
    engine.wait(SHOWN)
    found = json.loads(engine.evaluate(f"JSON.stringify({FOUND})"))
    assert len(found) == len(columns)
    assert {(*wrong, *style) for wrong, style in found} == {("normal", "none", "normal", "none")}
