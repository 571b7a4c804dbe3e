"""Badge and iframe page of a real Luot in a real browser: they fit, and look as the block does."""

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from services.model.display import Preset, Theme
from services.widget.looks import PRESETS
from tests.browser.admin import OF_COLOURS, problems
from tests.browser.portal import Portal
from tests.servers.up import BROWSER, Up

SITE = "demo-dnn"
OTHER = "demo-hcm"
"""A site that no test visits: its numbers stand still."""

FITS = """() => {
    const { width, height } = document.documentElement.getBoundingClientRect();
    return [...document.querySelectorAll("text, tspan")].filter((text) => {
        const box = text.getBBox();
        return box.x < 0 || box.x + box.width > width || box.y + box.height > height;
    }).map((text) => text.textContent);
}"""

# How wide each text is said to be, and how wide it is where nothing squeezes it.
SQUEEZED = """() => [...document.querySelectorAll("[textLength]")].map((text) => {
    const said = text.textLength.baseVal.value;
    text.removeAttribute("textLength");
    return [text.textContent, said, text.getComputedTextLength()];
})"""

# What a reader sees of a block, by the same names for the element and for the page of a frame.
SEEN = """(names) => {
    const root = (document.querySelector("visitor-counter") || {}).shadowRoot || document;
    const of = (name) => root.querySelector(names[name]);
    const style = (name) => getComputedStyle(of(name));
    const ground = (name) => {
        for (let at = of(name); at; at = at.parentElement) {
            const { backgroundColor } = getComputedStyle(at);
            if (backgroundColor !== "rgba(0, 0, 0, 0)") return backgroundColor;
        }
        return "none";
    };
    // An edge in the colour of what it is around is none that anybody sees.
    const edge = (name, side) => {
        const { [`border${side}Width`]: width, [`border${side}Style`]: kind,
            [`border${side}Color`]: colour } = style(name);
        const unseen = ["rgba(0, 0, 0, 0)", style(name).backgroundColor].includes(colour);
        return parseFloat(width) && !unseen ? [width, kind, colour] : [];
    };
    const seen = {};
    for (const name of ["block", "heading", "digit", "label", "value"]) {
        seen[name] = [style(name).color, ground(name), parseInt(style(name).fontWeight) >= 600];
    }
    seen.corners = style("block").borderTopLeftRadius;
    seen.frame = ["Top", "Right", "Bottom", "Left"].map((side) => edge("block", side));
    seen.cell = edge("digit", "Top");
    seen.under = edge("heading", "Bottom");
    seen.before = edge("heading", "Left");
    const size = (name) => parseFloat(style(name).fontSize);
    seen.heading.push(Math.round((10 * size("heading")) / size("block")));
    // Between two lines: one has the rule below it, or the other above.
    const [one, two] = root.querySelectorAll(names.line);
    const rule = (line, side) => {
        const { [`border${side}Width`]: width, [`border${side}Style`]: kind,
            [`border${side}Color`]: colour } = getComputedStyle(line);
        return kind === "none" ? [] : [width, kind, colour];
    };
    seen.rule = [rule(one, "Bottom"), rule(two, "Top")].find((found) => found.length) || [];
    const right = (name) => of(name).getBoundingClientRect().right;
    seen.spread = right("block") - right("value") < 20;
    return seen;
}"""
PARTS = {
    name: f"[part~={name}]" for name in ("block", "heading", "digit", "label", "value", "line")
}
ELEMENTS = {
    "block": "main",
    "heading": "h1",
    "digit": "i",
    "label": "span",
    "value": "b",
    "line": "li",
}


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    # Without the policy, which would keep axe out as well.
    context = browser.new_context(user_agent=BROWSER, bypass_csp=True)
    yield context
    context.close()


def rules(preset: Preset, theme: Theme) -> Sequence[str]:
    """Return the rules of axe for a look: of most presets, themes differ in colours alone."""
    return () if theme is Theme.LIGHT or preset is Preset.PLAIN else OF_COLOURS


@pytest.mark.parametrize("preset", Preset)
def test_the_text_of_a_badge_fits_and_its_style_is_allowed(
    up: Up, page: Page, preset: Preset
) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    for options in (
        "digits=11&format=dot",
        "heading=Thống kê truy cập của cổng thông tin",
        "digits=11&odometer=led&icons=tile&unit=lượt",
        "layout=inline&wording=footer&icons=line",
        "layout=table&icons=line&unit=lượt",
        "layout=card&icons=tile&digits=14",
        "wording=nukeviet&layout=card",
        "",
    ):
        query = f"theme=dark&preset={preset}&lines=online,total&{options}"
        page.goto(f"{up.url}/counter/{SITE}.svg?{query}")
        assert page.evaluate(FITS) == []
        ground = "getComputedStyle(document.querySelector('.b')).fill"
        back = PRESETS[preset].dark.back.lstrip("#")
        assert page.evaluate(ground) == f"rgb({', '.join(map(str, bytes.fromhex(back)))})"
    assert told == []


def test_a_text_that_does_not_fit_would_be_found(up: Up, page: Page) -> None:
    page.goto(f"{up.url}/counter/{SITE}.svg")
    page.evaluate("document.querySelector('tspan').setAttribute('textLength', '900')")
    assert page.evaluate(FITS) != []


@pytest.mark.parametrize("preset", Preset)
def test_the_letters_of_a_badge_are_hardly_squeezed(up: Up, page: Page, preset: Preset) -> None:
    lines = "online,today,this_week,this_month,this_year,total,peak"
    page.goto(f"{up.url}/counter/{SITE}.svg?preset={preset}&lines={lines}&format=dot")
    texts = page.evaluate(SQUEEZED)
    assert len(texts) == 15
    assert [text for text in texts if abs(text[1] / text[2] - 1) > 0.15] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_badge_in_an_image_follows_the_readers_system_only_when_asked(
    up: Up, portal: Portal, browser: Browser, scheme: Any
) -> None:
    context = browser.new_context(color_scheme=scheme)
    tab = context.new_page()

    def picture(theme: str) -> bytes:
        image = f'<img src="{up.url}/counter/{OTHER}.svg?preset=joomla{theme}" alt="Thống kê">'
        portal.page("/", image, head="")
        tab.goto(portal.url("/"), wait_until="load")
        return tab.locator("img").screenshot()

    light, dark = picture("&theme=light"), picture("&theme=dark")
    assert light != dark
    assert picture("&theme=auto") == (dark if scheme == "dark" else light)
    assert picture("") == light
    context.close()


@pytest.mark.parametrize("preset", Preset)
@pytest.mark.parametrize("theme", Theme)
def test_axe_finds_nothing_on_the_page_which_fits_200_pixels(
    up: Up, browser: Browser, preset: Preset, theme: Theme
) -> None:
    # Without the policy, which would keep axe out as well.
    options: Any = {"viewport": {"width": 200, "height": 400}, "color_scheme": "dark"}
    context = browser.new_context(bypass_csp=True, **options)
    tab = context.new_page()
    for query in (
        "digits=14&format=dot",
        "digits=11&odometer=classic&layout=table&icons=tile&unit=lượt",
        "digits=11&odometer=plain&layout=card&icons=line",
        "layout=inline&odometer=led&digits=8",
        "lines=&heading=",
    ):
        tab.goto(f"{up.url}/counter/{SITE}.html?preset={preset}&theme={theme}&{query}")
        assert tab.evaluate("document.documentElement.scrollWidth") == 200
        assert problems(tab, rules(preset, theme)) == [], query
    context.close()


@pytest.mark.parametrize("preset", [preset for preset in Preset if preset is not Preset.PLAIN])
def test_a_theme_changes_the_style_and_nothing_else(up: Up, preset: Preset) -> None:
    """So what axe finds in one theme beside colours, it finds in the others."""
    for kind in ("html", "svg"):
        address = f"/counter/{OTHER}.{kind}?preset={preset}&digits=11&icons=tile&theme="
        drawn = (up.http.get(f"{address}{theme}").text for theme in Theme)
        assert len({re.sub(r"<style>.*?</style>", "", text) for text in drawn}) == 1


@pytest.mark.parametrize("theme", Theme)
def test_axe_finds_nothing_on_a_badge(up: Up, context: BrowserContext, theme: Theme) -> None:
    tab = context.new_page()
    for preset, query in product(Preset, ("digits=14&format=dot", "lines=", "lines=&heading=")):
        tab.goto(f"{up.url}/counter/{SITE}.svg?preset={preset}&theme={theme}&{query}")
        assert problems(tab, rules(preset, theme)) == [], (preset, query)


def test_the_style_of_the_page_is_allowed_and_nothing_else(up: Up, page: Page) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(f"{up.url}/counter/{SITE}.html?preset=dnn&theme=light")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == (
        "rgb(255, 255, 255)"
    )
    assert told == []
    with page.expect_console_message() as refused:
        page.evaluate(
            "document.body.append(Object.assign(new Image(), {src: '/counter/demo.svg'}))"
        )
    assert "Content Security Policy" in refused.value.text


@pytest.mark.parametrize("preset", Preset)
def test_the_page_of_a_frame_looks_as_the_block_does(
    up: Up, portal: Portal, context: BrowserContext, preset: Preset
) -> None:
    options = f"preset={preset}&digits=11&lines=today,yesterday,total"
    attributes = options.replace("=", '="').replace("&", '" ') + '"'
    script = f'<script async src="{up.url}/counter.js" data-site="{SITE}"></script>'
    for theme in (Theme.LIGHT, Theme.DARK):
        # As most portals have it, the element says no theme and follows the page.
        portal.page("/", f"<visitor-counter {attributes}></visitor-counter>", head=script)
        text, headers = portal.pages["/"]
        ground = (
            f'html lang="vi" style="color-scheme: {theme}; color: light-dark(#212529, #e6e8eb)"'
        )
        portal.pages["/"] = (text.replace('html lang="vi"', ground), headers)
        element = context.new_page()
        element.goto(portal.url("/"))
        element.locator("visitor-counter .known").wait_for()
        frame = context.new_page()
        frame.goto(f"{up.url}/counter/{SITE}.html?theme={theme}&{options}")

        block, drawn = element.evaluate(SEEN, PARTS), frame.evaluate(SEEN, ELEMENTS)
        if preset is Preset.PLAIN:
            # The element is transparent in dark portals as well: it knows what is around it.
            for seen, name in product((block, drawn), ("block", "heading", "label", "value")):
                seen[name][1] = ""
        assert drawn == block, theme
        element.close()
        frame.close()


@pytest.mark.parametrize("preset", [Preset.PLAIN, Preset.DNN, Preset.MODERN])
def test_frame_and_badge_have_the_three_colours_that_the_block_has(
    up: Up, portal: Portal, context: BrowserContext, preset: Preset
) -> None:
    options = "digits=11&layout=table&lines=today,yesterday,total"
    attributes = options.replace("=", '="').replace("&", '" ') + f'" preset="{preset}"'
    style = "--luot-color: #331122; --luot-background: #fffdf7; --luot-accent: #b3140c"
    portal.page(
        "/",
        f'<visitor-counter style="{style}" {attributes}></visitor-counter>',
        head=f'<script async src="{up.url}/counter.js" data-site="{SITE}"></script>',
    )
    page = context.new_page()
    page.goto(portal.url("/"))
    page.locator("visitor-counter .known").wait_for()
    block = page.evaluate(SEEN, PARTS)
    colours = "color=331122&background=fffdf7&accent=b3140c"
    page.goto(f"{up.url}/counter/{SITE}.html?preset={preset}&{options}&{colours}")
    frame = page.evaluate(SEEN, ELEMENTS)
    for name in ("block", "heading", "digit", "label", "value", "spread"):
        assert frame[name] == block[name], name
    page.goto(f"{up.url}/counter/{SITE}.svg?preset={preset}&{options}&{colours}")
    fill = "(selector) => getComputedStyle(document.querySelector(selector)).fill"
    for part, name, place in (
        ("text:not(.o, .c)", "label", 0),
        (".o", "heading", 0),
        (".n", "value", 0),
        (".b", "block", 1),
        (".d", "digit", 1),
    ):
        assert page.evaluate(fill, part) == block[name][place], part
    page.close()


@pytest.mark.parametrize("preset", Preset)
def test_every_number_of_a_frame_stands_at_the_same_edge(
    up: Up, page: Page, preset: Preset
) -> None:
    # The frame of the documents, and the narrowest: there the longest line has to wrap.
    for width in (220, 200, 150):
        page.set_viewport_size({"width": width, "height": 400})
        page.goto(
            f"{up.url}/counter/{SITE}.html?preset={preset}&format=dot&digits=11&lines=today,total"
        )
        edges = page.evaluate(
            "[...document.querySelectorAll('li b')].map((b) => b.getBoundingClientRect().right)"
        )
        digits = page.evaluate(
            "[...document.querySelectorAll('i')].map((i) => i.getBoundingClientRect().top)"
        )
        if preset is not Preset.PLAIN:
            assert abs(edges[0] - edges[1]) < 0.5, width
        assert len(set(digits)) == 1


@pytest.mark.parametrize("digits", [15, 16, 20])
def test_the_most_digits_stand_within_the_narrowest_frame(up: Up, page: Page, digits: int) -> None:
    page.set_viewport_size({"width": 200, "height": 400})
    page.goto(f"{up.url}/counter/{SITE}.html?preset=drupal&digits={digits}&lines=today")
    cells = page.locator("i")
    first, last = cells.first.bounding_box(), cells.last.bounding_box()
    assert first is not None
    assert last is not None
    assert first["x"] >= 6
    assert last["x"] + last["width"] <= 200


@pytest.mark.parametrize("media", ["print", "forced-colors"])
def test_on_paper_and_in_forced_colours_no_rule_is_doubled(up: Up, page: Page, media: Any) -> None:
    page.goto(f"{up.url}/counter/{OTHER}.html?preset=joomla&theme=dark&lines=today,total")
    if media == "print":
        page.emulate_media(media="print")
        scheme = "getComputedStyle(document.documentElement).colorScheme"
        assert page.evaluate(scheme) == "light"
        assert page.evaluate("getComputedStyle(document.querySelector('main')).color") == (
            "rgb(0, 0, 0)"
        )
    else:
        page.emulate_media(forced_colors="active")
    last = page.locator("li").last
    assert last.evaluate("(li) => getComputedStyle(li).borderBottomStyle") == "none"
    assert last.evaluate("(li) => getComputedStyle(li).borderTopWidth") == "1px"


@pytest.mark.parametrize("kind", ["svg", "html", "txt"])
def test_a_browser_that_has_the_numbers_is_not_sent_them_again(
    up: Up, context: BrowserContext, kind: str
) -> None:
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    asked: list[dict[str, str]] = []
    answered: list[int] = []
    network.on(
        "Network.requestWillBeSentExtraInfo",
        lambda event: asked.append(
            {name.lower(): value for name, value in event["headers"].items()}
        ),
    )
    network.on(
        "Network.responseReceivedExtraInfo", lambda event: answered.append(event["statusCode"])
    )
    address = f"{up.url}/counter/{OTHER}.{kind}?lines=today,total"
    first = page.goto(address)
    assert first is not None
    words = page.locator(":root").text_content()
    page.reload()
    assert page.locator(":root").text_content() == words
    assert answered == [200, 304]
    assert "if-none-match" not in asked[0]
    assert asked[1]["if-none-match"] == first.headers["etag"]


def test_a_portal_shows_badge_and_frame_with_the_numbers_of_now(
    up: Up, portal: Portal, browser: Browser
) -> None:
    query = "lines=total&format=dot"
    portal.page(
        "/",
        f'<img src="{up.url}/counter/{OTHER}.svg?{query}" alt="Thống kê">'
        f'<iframe src="{up.url}/counter/{OTHER}.html?{query}" title="Thống kê"></iframe>',
        head="",
    )
    context = browser.new_context(user_agent=BROWSER)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(portal.url("/"))
    assert page.locator("img").evaluate("(image) => image.complete && image.naturalWidth") > 100
    shown = page.frame_locator("iframe").locator("li").inner_text()
    assert " ".join(shown.split()) == "Tổng lượt truy cập: 48.911.320"
    assert said == []
    context.close()
