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
    assert set(problems(page)) == {"color-contrast"}


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
        "HÔM NAY: 6.325", use_inner_text=True
    )


def test_three_colours_are_enough(portal: Portal, page: Page) -> None:
    portal.page(
        "/",
        '<visitor-counter preset="liferay" digits="3" icons="line"></visitor-counter>',
        head=f"{portal.tag()}<style>visitor-counter {{ --luot-color: rgb(1, 2, 3);"
        " --luot-background: rgb(250, 240, 230); --luot-accent: rgb(9, 80, 7) }</style>",
    )
    page.goto(portal.url("/"))
    page.locator("visitor-counter .known").wait_for()

    def style(part: str, name: str) -> str:
        found = page.locator(f"visitor-counter [part~={part}]").first
        return str(found.evaluate(f"(one) => getComputedStyle(one).{name}"))

    assert style("label", "color") == "rgb(1, 2, 3)"
    assert style("block", "backgroundColor") == "rgb(250, 240, 230)"
    accents = ("value", "color"), ("icon", "stroke"), ("digit", "backgroundColor")
    assert {style(*accent) for accent in accents} == {"rgb(9, 80, 7)"}
    # Lines and frame are a shade of the words.
    assert "0.18" in style("line", "borderBottomColor")
    assert "0.18" in style("block", "borderTopColor")


@pytest.mark.parametrize("preset", ["liferay", "modern"])
def test_what_an_old_engine_does_not_know_leaves_digits_and_lines_as_they_were_before_it(
    portal: Portal, page: Page, preset: str
) -> None:
    # Before Chrome 105 and 111, Firefox 110 and 113, Safari 16 and 16.2.
    page.add_init_script(
        "const replace = CSSStyleSheet.prototype.replaceSync;"
        "CSSStyleSheet.prototype.replaceSync = function (text) {"
        " return replace.call(this, text.replace(/cqi/g, 'no-unit')"
        ".replace(/color-mix/g, 'no-function')) }"
    )
    portal.page(
        "/",
        f'<visitor-counter preset="{preset}" layout="table" digits="3"></visitor-counter>',
        head=f"{portal.tag()}<style>visitor-counter {{ --luot-color: rgb(1, 2, 3);"
        " font-size: 20px }</style>",
    )
    page.goto(portal.url("/"))
    page.locator("visitor-counter .known").wait_for()

    def style(part: str, name: str) -> str:
        found = page.locator(f"visitor-counter [part~={part}]").first
        return str(found.evaluate(f"(one) => getComputedStyle(one).{name}"))

    assert [style("digit", name) for name in ("width", "marginLeft", "fontSize")] == [
        "24px",
        "1px",
        "20px",
    ]
    assert style("line", "borderBottom").startswith("1px solid rgb(")
    assert style("block", "borderTop").startswith("1px solid rgb(")


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


@pytest.mark.parametrize("without", ["animate", "partial keyframes"])
def test_a_browser_that_cannot_roll_digits_shows_the_new_number(
    portal: Portal, page: Page, without: str
) -> None:
    page.add_init_script(
        {
            # Safari before 13.1.
            "animate": "delete Element.prototype.animate",
            # Chrome before 84, Firefox before 75.
            "partial keyframes": "const animate = Element.prototype.animate;"
            "Element.prototype.animate = function (frames, ...more) {"
            " if (!('transform' in frames[0]))"
            " throw new DOMException('Partial keyframes are not supported', 'NotSupportedError');"
            " return animate.call(this, frames, ...more) }",
        }[without]
    )
    page.emulate_media(reduced_motion="no-preference")
    portal.page("/", '<visitor-counter digits="8"></visitor-counter><i data-luot="online"></i>')
    page.goto(portal.url("/"))
    digits = page.locator("visitor-counter [part=digits]")
    expect(digits).to_have_text("08307145")
    portal.numbers = {**portal.numbers, "total": 8307167, "online": 31}
    page.clock.run_for(60_000)
    expect(page.locator("i")).to_have_text("31")
    expect(digits).to_have_text("08307167")
    expect(digits).to_have_attribute("aria-label", "Tổng lượt truy cập: 8307167")


def test_answers_that_come_while_digits_roll_are_shown_at_last(portal: Portal, page: Page) -> None:
    # As where someone clicks through the pages of an application: each is an answer.
    portal.page("/", '<visitor-counter digits="8"></visitor-counter>')
    page.emulate_media(reduced_motion="no-preference")
    page.goto(portal.url("/"))
    digits = page.locator("visitor-counter [part=digits]")
    expect(digits).to_have_text("08307145")
    for total in range(8307146, 8307166):
        portal.numbers["total"] = total
        page.evaluate("__luot.read()")
        expect(digits).to_have_attribute("aria-label", f"Tổng lượt truy cập: {total}")
    expect(digits).to_have_text("08307165")


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


OLD = {
    "no light-dark()": (
        "const real = CSS.supports;"
        "CSS.supports = (...all) => !/light-dark/.test(all) && real(...all)"
    ),
    "no CSSStyleSheet()": (
        "window.CSSStyleSheet = class { constructor() { throw new TypeError() } }"
    ),
}


@pytest.mark.parametrize("old", OLD.values(), ids=OLD)
def test_an_older_browser_shows_the_light_colours(portal: Portal, page: Page, old: str) -> None:
    page.add_init_script(old)
    page_of(portal, "auto", "light")
    page.goto(portal.url("/"))
    expect(page.locator("visitor-counter .known")).to_have_count(len(Preset))
    head = page.locator("visitor-counter .joomla [part=heading]")
    assert head.evaluate("(head) => getComputedStyle(head).backgroundColor") == "rgb(21, 46, 83)"
    value = page.locator("visitor-counter .nukeviet [part=value]").first
    assert value.evaluate("(cell) => getComputedStyle(cell).color") == "rgb(176, 18, 10)"
    assert problems(page) == []


@pytest.mark.parametrize("fault", ["500", "hang"])
def test_a_browser_without_style_sheets_of_its_own_shows_no_number_that_is_none(
    portal: Portal, page: Page, fault: str
) -> None:
    page.add_init_script(OLD["no CSSStyleSheet()"])
    portal.fault = fault
    policy = f"default-src 'none'; script-src {portal.luot}; connect-src {portal.luot}"
    portal.page(
        "/",
        '<visitor-counter digits="11">đang tải</visitor-counter>',
        headers={"Content-Security-Policy": f"{policy}; img-src data:"},
    )
    page.goto(portal.url("/"))
    page.locator("visitor-counter [part=block]").wait_for(state="attached")
    assert page.locator("visitor-counter [part=block]").is_hidden()
    expect(page.get_by_text("đang tải")).to_be_visible()


EDGES = """(cells, side) =>
    new Set(cells.map((cell) => Math.round(cell.getBoundingClientRect()[side]))).size"""


@pytest.mark.parametrize("preset", Preset)
def test_digits_stay_in_one_row_and_numbers_at_the_right(
    portal: Portal, page: Page, preset: Preset
) -> None:
    portal.page(
        "/",
        f'<div><visitor-counter preset="{preset}" digits="11" format="dot" lines="today,total">'
        "</visitor-counter></div>",
        head=f"{portal.tag()}<style>div {{ font: 16px sans-serif; text-indent: 2em;"
        " white-space: nowrap; word-spacing: 1em }</style>",
    )
    page.goto(portal.url("/"))
    page.locator("visitor-counter .known").wait_for()
    for width in (185, 200, 240, 300):
        page.evaluate(f"document.querySelector('div').style.width = '{width}px'")
        digits = page.locator("visitor-counter [part=digit]")
        assert digits.evaluate_all(EDGES, "top") == 1, width
        overflow = "(box) => box.scrollWidth - box.clientWidth"
        assert page.locator("visitor-counter .known").evaluate(overflow) == 0
        if preset is not Preset.PLAIN:
            values = page.locator("visitor-counter [part=value]")
            assert values.evaluate_all(EDGES, "right") == 1, width


def test_digits_are_read_from_the_left_in_a_page_from_the_right(portal: Portal, page: Page) -> None:
    portal.page("/", '<div dir="rtl"><visitor-counter digits="8"></visitor-counter></div>')
    page.goto(portal.url("/"))
    page.locator("visitor-counter .known").wait_for()
    lefts = page.locator("visitor-counter [part=digit]").evaluate_all(
        "(cells) => cells.map((cell) => cell.getBoundingClientRect().left)"
    )
    assert lefts == sorted(lefts)
