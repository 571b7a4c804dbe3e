"""The gallery of the demo: every preset, light and dark, in all widths, for all eyes."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.model.display import Preset
from services.standalone.demo import gallery
from tests.browser.admin import problems
from tests.browser.conftest import Visit

PICTURE = Path(__file__).parents[2] / "docs" / "img" / "gallery.jpg"
BLOCKS = len(Preset) * len(gallery.THEMES) * (len(gallery.ROW) + 1)
CUT = """(boxes) => boxes.filter((box) => {
    const edge = box.getBoundingClientRect().right + 0.5;
    const parts = box.querySelectorAll("[part=digit], [part=label], [part=value], [part=icon]");
    return box.scrollWidth > box.clientWidth
        || [...parts].some((part) => part.getBoundingClientRect().right > edge);
}).map((box) => box.className + box.parentNode.host.parentNode.className)"""
# A word that is broken within itself: its letters stand on more than one line.
BROKEN = """(labels) => labels.filter((label) => {
    const text = label.firstChild;
    return [...text.data.matchAll(/\\S+/g)].some(({ 0: word, index }) => {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + word.length);
        return new Set([...range.getClientRects()].map((rect) => Math.round(rect.top))).size > 1;
    });
}).map((label) => label.textContent)"""


# As the README shows it: light and dark beside each other, at less than half their size.
_SIDE_BY_SIDE = """
    main { zoom: .42; display: grid; grid: repeat(9, auto) / auto-flow 1fr 1fr; }
    .row { flex-wrap: nowrap; }
    .row + .row, .row > :nth-child(5), h2 { display: none; }
"""


def opened(visit: Visit, width: int) -> Page:
    page = visit(gallery.PATH, viewport={"width": width, "height": 900}, bypass_csp=True)
    expect(page.locator("visitor-counter .known")).to_have_count(BLOCKS)
    return page


@pytest.mark.parametrize("width", [1500, 360])
def test_nothing_of_any_preset_is_cut_or_broken(visit: Visit, width: int) -> None:
    page = opened(visit, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("visitor-counter .known").evaluate_all(CUT) == []
    words = page.locator("visitor-counter :is([part=label], [part=value], [part=heading])")
    assert words.evaluate_all(BROKEN) == []
    badges = page.locator(".badge img")
    assert badges.evaluate_all("(all) => all.map((one) => one.naturalWidth > 60)") == (
        [True] * len(Preset) * len(gallery.THEMES) * len(gallery.BADGES)
    )


def test_axe_finds_nothing_in_the_gallery(visit: Visit) -> None:
    page = opened(visit, 1500)
    assert problems(page) == []
    if os.environ.get("LUOT_TEST_PICTURES"):
        page.set_viewport_size({"width": 980, "height": 900})
        page.add_style_tag(content=_SIDE_BY_SIDE)
        page.locator("main").screenshot(path=PICTURE, type="jpeg", quality=36)
