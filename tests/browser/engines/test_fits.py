"""A block keeps its shape in every engine, whatever the page around it is like."""

import json

from tests.browser.engines.engine import Engine
from tests.browser.engines.place import Place

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
