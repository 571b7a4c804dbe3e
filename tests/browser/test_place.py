"""The place of a block in its page: kept before it is there, and not much too large."""

from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from services.model.display import Display, Look, Preset
from services.widget import page as frames
from services.widget import scripts
from services.widget.block import Block
from services.widget.heights import element_height
from services.widget.snippet import PinnedScript, Snippet
from tests.browser.portal import Portal

SHIFTS = """
    window.shifts = [];
    new PerformanceObserver((list) => shifts.push(...list.getEntries().map((entry) => entry.value)))
        .observe({ type: "layout-shift", buffered: true });
"""
TWO_FRAMES = "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
TEXT = "<p>Đang tải số liệu…</p><p>Xin chờ trong giây lát.</p>"
LINES = ["online", "today", "yesterday", "total"]
SHOWN: dict[str, dict[str, Any]] = {
    "usual": {},
    "digits": {"digits": 11},
    "few": {"digits": 8, "lines": ["today"]},
    "bare": {"heading": "", "lines": LINES},
    "dark": {"heading": "", "digits": 11, "theme": "dark"},
    "auto": {"theme": "auto"},
    "table": {"layout": "table", "icons": "tile", "digits": 11, "odometer": "classic"},
    "card": {"layout": "card", "icons": "line", "unit": "lượt", "lines": LINES},
    "gap": {"wording": "nukeviet"},
    "parted cards": {"wording": "nukeviet", "layout": "card"},
    "inline": {"layout": "inline", "heading": "", "lines": LINES[:2]},
}
SLOW = {
    "script": "/counter.js",
    "blocks": f"{scripts.VERSIONED}/blocks.js",
    "answer": "/api/counter/mytho",
}

each_preset = pytest.mark.parametrize("preset", Preset)


def ways_of(portal: Portal, display: dict[str, Any]) -> dict[str, str]:
    return Snippet(portal.luot, "mytho", PinnedScript("", "", ""), display).ways()


def look_of(display: dict[str, Any]) -> Look:
    return Look.of(msgspec.convert(display, Display))


def shifts(browser: Browser, portal: Portal, slow: str, block: str, ways: dict[str, str]) -> Any:
    """Return how far the page moves when one answer comes after it was painted."""
    filled = block.replace("></", f">{TEXT}</")
    portal.page(
        "/",
        f"{block}<p>ngay dưới khối</p>{filled}<p>ngay dưới khối có chữ</p>",
        head=f"{ways['script']}<style>{ways['style']}</style>",
    )
    portal.stalled = {SLOW[slow]}
    page = browser.new_page()
    page.add_init_script(SHIFTS)
    page.goto(portal.url("/"), wait_until="domcontentloaded")
    # Two frames: the page was painted before what is late.
    page.evaluate(TWO_FRAMES)
    portal.stalled = set()
    known = page.locator("visitor-counter .known")
    expect(known).to_have_count(2)
    expect(known.last).to_contain_text("6.325")
    page.evaluate(TWO_FRAMES)
    found = page.evaluate("shifts")
    page.close()
    return sum(found)


@each_preset
@pytest.mark.parametrize("slow", SLOW)
def test_nothing_on_the_page_shifts(
    browser: Browser, portal: Portal, preset: Preset, slow: str
) -> None:
    portal.numbers["display"] = {"preset": preset}
    ways = ways_of(portal, portal.numbers["display"])
    assert shifts(browser, portal, slow, ways["block"], ways) == 0


@each_preset
@pytest.mark.parametrize("slow", SLOW)
def test_nothing_shifts_where_the_settings_of_the_site_are_others(
    browser: Browser, portal: Portal, preset: Preset, slow: str
) -> None:
    portal.numbers["display"] = {"preset": preset, "digits": 8, "lines": LINES[:2]}
    ways = ways_of(portal, portal.numbers["display"])
    assert shifts(browser, portal, slow, ways["block"], ways) == 0


@each_preset
@pytest.mark.parametrize("pixels", [12, 18])
def test_the_place_that_is_kept_is_that_of_the_block_and_at_most_a_line_more(
    portal: Portal, page: Page, preset: Preset, pixels: int
) -> None:
    displays = [{**shown, "preset": preset} for shown in SHOWN.values()]
    blocks = []
    for display in displays:
        attributes = {**display, "lines": ",".join(look_of(display).lines)}
        told = " ".join(f'{name}="{value}"' for name, value in attributes.items())
        blocks.append(f"<visitor-counter {told}></visitor-counter>")
    page_style = f"<style>body {{ font: {pixels}px sans-serif; width: 24em }}</style>"
    portal.page("/", page_style + "".join(blocks))
    page.goto(portal.url("/"))
    expect(page.locator("visitor-counter .known")).to_have_count(len(blocks))

    real = page.locator("visitor-counter").evaluate_all(
        "(blocks) => blocks.map((block) => block.getBoundingClientRect().height)"
    )

    kept = [element_height(look_of(display), display.get("theme")) * pixels for display in displays]
    over = [(place - height) / pixels for place, height in zip(kept, real, strict=True)]
    assert min(over) >= 0, over[6:]
    assert max(over) <= 2, over[6:]


@each_preset
def test_a_block_fits_into_its_frame_without_scrolling(
    portal: Portal, page: Page, preset: Preset
) -> None:
    for name, shown in SHOWN.items():
        display = {**shown, "preset": preset}
        portal.pages["/counter/mytho.html"] = (
            frames.html(Block.of_site(look_of(display), portal.numbers)),
            {},
        )
        portal.page("/", ways_of(portal, display)["frame"], head="")
        page.goto(portal.url("/"))
        frame = page.frame_locator("iframe")
        frame.locator("main").wait_for()
        left = frame.locator("html").evaluate(
            "(root) => [innerWidth - root.scrollWidth,"
            " innerHeight - document.querySelector('main').getBoundingClientRect().bottom]"
        )
        assert left[0] == 0, name
        assert 0 <= left[1] <= 24, name
        border = page.locator("iframe").evaluate("(frame) => getComputedStyle(frame).borderWidth")
        assert border == "0px", name
