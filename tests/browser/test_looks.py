"""How blocks look: for all eyes, and on paper."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from services.model.display import Preset, Theme
from tests.browser.portal import Portal

OPTIONS = 'digits="11" format="dot" lines="online,today,yesterday,this_month,total,peak"'
CONTRAST = """(cell) => {
    const style = getComputedStyle(cell);
    return [style.color, style.backgroundColor, style.animationName];
}"""


def blocks(theme: str) -> str:
    return "".join(
        f'<section><visitor-counter preset="{preset}" theme="{theme}" {OPTIONS}></visitor-counter>'
        f'<most-read preset="{preset}" theme="{theme}" limit="3"></most-read></section>'
        for preset in Preset
    )


def problems(page: Page) -> list[str]:
    """Return the rules that axe sees broken, and those of which it is not sure."""
    found = Axe().run(page, options={"resultTypes": ["violations", "incomplete"]}).response
    return [rule["id"] for rule in (*found["violations"], *found["incomplete"])]


def page_of(portal: Portal, theme: str, ground: str) -> None:
    portal.page(
        "/",
        f"<main><h1>Cổng</h1>{blocks(theme)}</main>",
        head=f"{portal.tag()}<style>:root {{ color-scheme: {ground};"
        " background: light-dark(#fff, #111); color: light-dark(#111, #eee) }"
        " section { width: 15em; font: 15px sans-serif }</style>",
    )


@pytest.mark.parametrize("theme", Theme)
@pytest.mark.parametrize("ground", ["light", "dark"])
def test_axe_finds_nothing_in_any_preset(
    portal: Portal, page: Page, theme: str, ground: str
) -> None:
    page_of(portal, theme, ground)
    page.emulate_media(color_scheme="dark" if ground == "dark" else "light")
    page.goto(portal.url("/"))
    expect(page.locator("visitor-counter .known")).to_have_count(len(Preset))
    expect(page.locator("most-read .known")).to_have_count(len(Preset))

    assert problems(page) == []


def test_axe_would_find_a_colour_that_cannot_be_read(portal: Portal, page: Page) -> None:
    page_of(portal, "light", "light")
    page.goto(portal.url("/"))
    expect(page.locator("visitor-counter .known")).to_have_count(len(Preset))
    page.evaluate(
        "document.querySelectorAll('visitor-counter')[3].style.setProperty('--luot-accent', '#ccc')"
    )
    assert problems(page) == ["color-contrast"]


def test_without_a_theme_a_block_follows_the_page_and_not_the_readers_system(
    portal: Portal, page: Page
) -> None:
    page.emulate_media(color_scheme="dark")
    backs = {}
    for ground in ("light", "dark"):
        page_of(portal, "auto", ground)
        page.goto(portal.url("/"))
        joomla = page.locator("visitor-counter .joomla.known")
        backs[ground] = joomla.evaluate("(box) => getComputedStyle(box).backgroundColor")
    assert backs == {"light": "rgb(255, 255, 255)", "dark": "rgb(27, 30, 36)"}


def test_a_portal_changes_colours_by_properties_and_parts(portal: Portal, page: Page) -> None:
    portal.page(
        "/",
        '<visitor-counter preset="dnn" digits="3"></visitor-counter>',
        head=f"{portal.tag()}<style>visitor-counter {{ --luot-accent: rgb(1, 2, 3) }}"
        " visitor-counter::part(line-today) { text-transform: uppercase }</style>",
    )
    page.goto(portal.url("/"))
    value = page.locator("visitor-counter .known [part=value]").first
    assert value.evaluate("(cell) => getComputedStyle(cell).color") == "rgb(1, 2, 3)"
    expect(page.locator("visitor-counter .known")).to_contain_text(
        "HÔM NAY: 6325", use_inner_text=True
    )


@pytest.mark.parametrize("preset", Preset)
def test_a_block_has_its_height_before_the_first_answer(
    portal: Portal, page: Page, preset: Preset
) -> None:
    portal.stalled = {"/api/counter/mytho"}
    portal.page("/", f'<visitor-counter preset="{preset}" {OPTIONS}>…</visitor-counter>')
    page.goto(portal.url("/"), wait_until="domcontentloaded")
    height = "(block) => block.getBoundingClientRect().height"
    block = page.locator("visitor-counter")
    block.locator("[part=block]").wait_for(state="attached")
    before = block.evaluate(height)
    portal.stalled = set()
    block.locator(".known").wait_for()
    assert before == block.evaluate(height) > 100


@pytest.mark.parametrize(("motion", "moves"), [("reduce", 0), ("no-preference", 1)])
def test_digits_roll_only_for_those_who_like_it(
    portal: Portal, page: Page, motion: str, moves: int
) -> None:
    page.add_init_script(
        "window.moved = 0; const animate = Element.prototype.animate;"
        "Element.prototype.animate = function (...all) { moved++; return animate.apply(this, all) }"
    )
    page.emulate_media(reduced_motion="reduce" if motion == "reduce" else "no-preference")
    portal.page("/", '<visitor-counter digits="8"></visitor-counter>')
    page.goto(portal.url("/"))
    digits = page.locator("visitor-counter [part=digits]")
    expect(digits).to_have_text("08307145")
    assert page.evaluate("moved") == 0
    portal.numbers["total"] += 1
    page.clock.run_for(60_000)
    expect(digits).to_have_text("08307146")
    assert page.evaluate("moved") == moves


def test_on_paper_and_in_forced_colours_every_word_can_be_read(portal: Portal, page: Page) -> None:
    page_of(portal, "dark", "light")
    page.goto(portal.url("/"))
    expect(page.locator("visitor-counter .known")).to_have_count(len(Preset))
    everything = page.locator("visitor-counter .known :is(span, [part=heading])")
    page.emulate_media(media="print")
    inks = everything.evaluate_all(f"(cells) => cells.map({CONTRAST})")
    assert {tuple(ink[:2]) for ink in inks} == {("rgb(0, 0, 0)", "rgba(0, 0, 0, 0)")}

    page.emulate_media(media="screen", forced_colors="active")
    inks = everything.evaluate_all(f"(cells) => cells.map({CONTRAST})")
    words = page.evaluate("getComputedStyle(document.body).color")
    assert {ink[0] for ink in inks} == {words}


@pytest.mark.parametrize("preset", Preset)
def test_a_block_fits_into_a_narrow_column(portal: Portal, page: Page, preset: str) -> None:
    portal.page(
        "/",
        f'<div style="width: 200px"><visitor-counter preset="{preset}" {OPTIONS}>'
        "</visitor-counter></div>",
    )
    page.goto(portal.url("/"))
    box = page.locator("visitor-counter .known")
    box.wait_for()
    assert box.evaluate("(box) => box.scrollWidth - box.clientWidth") == 0
    wide = "(cells) => Math.max(...cells.map((cell) => cell.getBoundingClientRect().right))"
    edge = box.evaluate("(box) => box.getBoundingClientRect().right")
    assert box.locator("span").evaluate_all(wide) <= edge
