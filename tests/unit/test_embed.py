"""Badge, page and text: what they say is what the block says, and nothing of it is markup."""

from html.parser import HTMLParser
from itertools import product
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.counter import embed_options
from services.http.errors import ApiError
from services.model.display import (
    MAX_HEADING,
    Display,
    Format,
    Gap,
    Icons,
    Lang,
    Layout,
    Look,
    Preset,
    Theme,
)
from services.model.lines import Line
from services.model.site import Metric, Site
from services.widget import badge, page
from services.widget.block import Block, text
from services.widget.icons import ICONS
from services.widget.looks import NO_GROUND, PRESETS, Palette
from services.widget.text_width import width

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS: dict[str, Any] = {
    "online": 1,
    "bots": 0,
    "guests": 1,
    "today": 6325,
    "yesterday": 7097,
    "this_week": 30_000,
    "last_week": 29_000,
    "this_month": 119_944,
    "last_month": 108_517,
    "this_year": 119_944,
    "last_year": 1_845_672,
    "total": 8_307_145,
    "peak": {"online": 40, "at": None},
}
SITE = Site(slug="mytho")

words = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=MAX_HEADING)
markup = st.sampled_from(
    ["</text><script>", "</style>", "<!--", "]]>", "&amp;", "&#0;", "'\" onload=", "]]><a", "&lt;"]
)
hostile = st.lists(words | markup, max_size=3).map(lambda parts: "".join(parts)[:60])


def block(**given: Any) -> Block:
    return Block.of_site(Look.of(Display(**given)), NUMBERS)


class Page(HTMLParser):
    """Reads a page as a browser does: elements, and the text of each line."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.lines: list[str] = []
        self.heading = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag == "li":
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if self.elements[-1] in ("li", "span", "b"):
            self.lines[-1] += data
        elif self.elements[-1] == "h1":
            self.heading += data


def texts(image: str) -> list[str]:
    root = ElementTree.fromstring(image)
    return ["".join(line.itertext()) for line in root.iter(f"{SVG}text")]


def test_the_block_of_a_district_portal_reads_as_it_always_did() -> None:
    shown = block(
        digits=11,
        lines=(
            Line.TODAY,
            Line.YESTERDAY,
            Line.THIS_MONTH,
            Line.LAST_MONTH,
            Line.THIS_YEAR,
            Line.LAST_YEAR,
        ),
    )
    lines = [
        "Hôm nay: 6.325",
        "Hôm qua: 7.097",
        "Tháng này: 119.944",
        "Tháng trước: 108.517",
        "Năm này: 119.944",
        "Năm trước: 1.845.672",
    ]
    assert texts(badge.svg(shown)) == ["Thống kê truy cập", "00008307145", *lines]
    assert text(shown, None) == "\n".join(["00008307145", *lines, ""])
    read = Page(page.html(shown))
    assert (read.heading, read.lines) == ("Thống kê truy cập", lines)
    assert read.elements.count("i") == 11


def test_the_block_of_a_city_reads_as_it_always_did() -> None:
    look = Look.of(
        Display(
            lines=(Line.ONLINE, Line.TODAY, Line.TOTAL),
            heading="",
            labels={Line.ONLINE: "Đang truy cập "},
        )
    )
    shown = Block.of_site(look, {"online": 1, "today": 70, "total": 907035})
    lines = ["Đang truy cập : 1", "Hôm nay: 70", "Tổng lượt truy cập: 907.035"]
    assert texts(badge.svg(shown)) == lines
    assert text(shown, None).splitlines() == lines
    assert Page(page.html(shown)).lines == lines


@given(heading=hostile, label=hostile, preset=st.sampled_from(Preset), theme=st.sampled_from(Theme))
def test_no_text_becomes_markup(heading: str, label: str, preset: Preset, theme: Theme) -> None:
    lines = (Line.TODAY, Line.PEAK)
    plain = block(preset=preset, theme=theme, lines=lines, heading="x", digits=8)
    shown = block(
        preset=preset,
        theme=theme,
        lines=lines,
        heading=heading,
        digits=8,
        labels={Line.TODAY: label, Line.TOTAL: label},
    )

    image = badge.svg(shown)
    above = [heading] if heading.strip() else []
    assert texts(image) == [
        *above,
        "08307145",
        f"{label}: 6.325",
        "Truy cập đồng thời cao nhất: 40",
    ]
    tags = {element.tag for element in ElementTree.fromstring(image).iter()}
    assert tags <= {element.tag for element in ElementTree.fromstring(badge.svg(plain)).iter()}

    read, expected = Page(page.html(shown)), Page(page.html(plain))
    assert read.lines[0] == f"{label}: 6.325"
    assert [tag for tag in expected.elements if tag != "h1"] == [
        tag for tag in read.elements if tag != "h1"
    ]
    assert not {"<", ">"} & set(text(shown, heading))
    assert len(text(shown, heading or "x").splitlines()) == 4


def test_the_words_for_a_screen_reader_say_every_number() -> None:
    root = ElementTree.fromstring(badge.svg(block(digits=8, lines=(Line.TODAY,), heading="")))
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{SVG}title") == "Thống kê truy cập"
    assert root.findtext(f"{SVG}desc") == "Tổng lượt truy cập: 8307145. Hôm nay: 6.325"
    named = {element.get("id") for element in root.iter()}
    assert set(root.attrib["aria-labelledby"].split()) <= named


def test_a_badge_grows_with_its_words() -> None:
    def across(**given: Any) -> float:
        return float(ElementTree.fromstring(badge.svg(block(**given))).attrib["width"])

    short = across(lines=(Line.TODAY,), heading="")
    assert across(lines=(Line.TODAY, Line.TOTAL), heading="") > short
    assert across(lines=(Line.TODAY,), heading="Thống kê truy cập của cổng") > short
    assert across(lines=(), heading="", digits=20) > short
    assert across(lines=(), heading="", digits=0) > 0


def test_marks_of_vietnamese_make_no_letter_wider() -> None:
    assert width("Thống kê truy cập", 12) == width("Thong ke truy cap", 12)
    assert width("ữ", 100) == width("ư", 100)
    assert width("Thô\u0301ng", 12) == width("Thống", 12)
    assert len({width(digit, 100, bold=True) for digit in "0123456789"}) == 1
    assert width("日", 100) > width("a", 100)


def luminance(colour: str) -> float:
    if colour == NO_GROUND:
        colour = "#ffffff"
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("preset", Preset)
def test_every_preset_can_be_read_in_both_themes(preset: Preset) -> None:
    looks = PRESETS[preset]
    palettes: tuple[Palette, ...] = (looks.light, looks.dark)
    for colours in palettes:
        assert contrast(colours.text, colours.back) >= 4.5
        assert contrast(colours.accent, colours.back) >= 4.5
        assert contrast(colours.on_head, colours.head) >= 4.5
    assert contrast("#ffffff", looks.digit) >= 4.5
    # Where a digit's own colour could be taken for the ground, an edge says where it is.
    assert contrast(looks.edge(looks.dark), looks.dark.back) >= 2.5


def test_a_badge_has_what_is_special_of_a_preset() -> None:
    def drawn(preset: Preset, theme: Theme = Theme.LIGHT) -> str:
        return badge.svg(block(preset=preset, theme=theme, digits=8))

    assert '<path class="a"' in drawn(Preset.NUKEVIET)  # the bar before the heading
    assert '<path class="t"' in drawn(Preset.WORDPRESS)  # the thick line under the title
    assert '<rect class="a"' in drawn(Preset.DRUPAL)  # the bar along the block
    for preset in Preset:
        assert ".d{stroke:#56616f}" in drawn(preset, Theme.DARK)
        assert f".d{{stroke:{PRESETS[preset].digit}}}" in drawn(preset)


def test_the_plain_badge_stands_in_a_coloured_column_as_the_words_around_it_do() -> None:
    plain = badge.svg(block(preset=Preset.PLAIN))
    assert ".b{fill:none}" in plain
    assert '<text class="o" x="0"' in plain
    # What is dark for some readers brings its own ground, and room around the words.
    for theme in (Theme.DARK, Theme.AUTO):
        boxed = badge.svg(block(preset=Preset.PLAIN, theme=theme))
        assert ".b{fill:#1b1e24}" in boxed
        assert '<text class="o" x="8"' in boxed


def test_every_look_is_drawn_differently_and_follows_its_theme() -> None:
    for draw in (badge.svg, page.html):
        drawn = {
            (preset, theme): draw(block(preset=preset, theme=theme))
            for preset, theme in product(Preset, Theme)
        }
        assert len(set(drawn.values())) == len(drawn)
        for (_, theme), image in drawn.items():
            assert ("prefers-color-scheme" in image) == (theme is Theme.AUTO)
    policies = {
        badge.policy(block(preset=preset, theme=theme).look)
        for preset, theme in product(Preset, Theme)
    }
    assert len(policies) == len(Preset) * len(Theme)


def test_no_dark_box_stands_in_a_light_portal_that_did_not_ask_for_one() -> None:
    for draw in (badge.svg, page.html):
        assert draw(Block.of_site(embed_options.parse(b"", SITE).look, NUMBERS)) == draw(
            block(theme=Theme.LIGHT)
        )
        asked = Block.of_site(embed_options.parse(b"theme=auto", SITE).look, NUMBERS)
        assert "prefers-color-scheme" in draw(asked)
        site = Site(slug="mytho", display=Display(theme=Theme.DARK))
        dark = Block.of_site(embed_options.parse(b"", site).look, NUMBERS)
        assert draw(dark) == draw(block(theme=Theme.DARK))


def test_what_the_address_names_wins_over_the_site() -> None:
    site = Site(
        slug="mytho",
        metric=Metric.VIEWS,
        display=Display(lang=Lang.EN, digits=8, labels={Line.TODAY: "Now"}),
    )
    asked = embed_options.parse(
        b"lang=vi&lines=today,total&metric=visitors&label-total=T&format=dot", site
    )
    assert asked.metric is Metric.VISITORS
    assert (asked.look.lang, asked.look.digits) == (Lang.VI, 8)
    assert asked.look.lines == (Line.TODAY, Line.TOTAL)
    assert asked.look.format is Format.DOT
    assert embed_options.parse(b"", site).look == Look.of(site.display)
    assert embed_options.parse(b"", site).metric is Metric.VIEWS
    assert embed_options.parse(b"lines=&digits=0", SITE).look.lines == ()


def test_a_page_has_one_line_and_a_heading_only_when_asked() -> None:
    site = Site(slug="mytho", display=Display(digits=8, heading="X", format=Format.DOT))
    asked = embed_options.parse(b"path=/a/index.html&lang=en", site)
    assert asked.path == ("/a/index.html", "/a")
    shown = Block.of_page(asked.look, 1445)
    assert texts(badge.svg(shown)) == ["Views: 1.445"]
    named = Block.of_page(embed_options.parse(b"path=/a&heading=Y", site).look, 445)
    assert texts(badge.svg(named)) == ["Y", "Lượt xem: 445"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (b"colour=red", "'colour'"),
        (b"Lang=vi", "'Lang'"),
        (b"lang=fr", "lang"),
        (b"lang=", "lang"),
        (b"lang=vi&lang=en", "lang"),
        (b"theme=blue", "theme"),
        (b"preset=typo3", "preset"),
        (b"format=fancy", "format"),
        (b"metric=clicks", "metric"),
        (b"gap=wide", "gap"),
        (b"color=red", "color"),
        (b"background=%23b3140", "background"),
        (b"accent=b3140c%3B}", "accent"),
        (b"digits=21", "digits"),
        (b"digits=-1", "digits"),
        (b"digits=%D9%A3", "digits"),
        (b"digits=", "digits"),
        (b"lines=noon", "lines"),
        (b"lines=today,,total", "lines"),
        (b"lines=today,today", "lines"),
        (b"heading=a%0Ab", "heading"),
        (b"heading=" + b"x" * 101, "heading"),
        (b"heading=%FF", "query"),
        (b"label-noon=x", "'label-noon'"),
        (b"label-today=%00", "labels"),
        (b"path=a", "path"),
        (b"path=/a&lines=today", "lines"),
        (b"path=/a&metric=views", "metric"),
        (b"path=/a&digits=3", "digits"),
        (b"path=/a&label-today=x", "label-today"),
    ],
)
def test_an_option_that_does_not_exist_is_named(query: bytes, field: str) -> None:
    with pytest.raises(ApiError) as refused:
        embed_options.parse(query, SITE)
    assert (refused.value.status, list(refused.value.errors)) == (400, [field])


def test_badge_and_page_have_the_icons_units_and_arrangement_of_the_site() -> None:
    shown = block(icons=Icons.TILE, unit="lượt", lines=(Line.ONLINE, Line.TOTAL), heading="")
    lines = ["Đang truy cập: 1", "Tổng lượt truy cập: 8.307.145 lượt"]
    assert Page(page.html(shown)).lines == lines
    assert page.html(shown).count("<svg ") == 2
    drawn = badge.svg(shown)
    assert texts(drawn) == lines
    assert drawn.count(f'd="{ICONS[Line.TOTAL]}"') == drawn.count(f'd="{ICONS[Line.ONLINE]}"') == 1
    assert ICONS[Line.TOTAL] not in badge.svg(block(lines=(Line.TOTAL,)))
    # The views of one page are no line of the block.
    assert ICONS[Line.TOTAL] not in badge.svg(Block.of_page(shown.look, 7))


def test_lines_of_bots_and_guests_are_there_while_there_are_any() -> None:
    lines = (Line.ONLINE, Line.BOTS, Line.GUESTS, Line.TODAY)
    shown = ["Đang truy cập: 1", "Khách viếng thăm: 1", "Hôm nay: 6.325"]
    drawn = block(lines=lines, heading="", gap=Gap.ONLINE)
    assert texts(badge.svg(drawn)) == Page(page.html(drawn)).lines == shown
    assert drawn.kinds[drawn.gap] is Line.TODAY
    with_bots = Block.of_site(drawn.look, {**NUMBERS, "bots": 3})
    assert texts(badge.svg(with_bots))[1] == "Máy chủ tìm kiếm: 3"
    # For programs, a line stays where it is.
    every = Block.of_site(drawn.look, NUMBERS, every=True)
    assert text(every, None).splitlines()[1] == "Máy chủ tìm kiếm: 0"


@pytest.mark.parametrize("layout", [Layout.LIST, Layout.TABLE])
def test_a_gap_parts_the_lines_from_those_of_who_is_online(layout: Layout) -> None:
    def drawn(gap: Gap) -> Block:
        return block(lines=(Line.ONLINE, Line.TODAY, Line.PEAK), layout=layout, gap=gap)

    def high(gap: Gap) -> int:
        return int(ElementTree.fromstring(badge.svg(drawn(gap))).attrib["height"])

    assert high(Gap.ONLINE) > high(Gap.NONE)
    assert page.html(drawn(Gap.ONLINE)).count('<li class="gap">') == 1
    assert '<li class="gap">' not in page.html(drawn(Gap.NONE))
    assert block(lines=(Line.TODAY, Line.ONLINE), gap=Gap.ONLINE).gap == 0


def boxes(image: str, kind: str) -> list[tuple[float, float]]:
    """Return x and y of each rectangle of a class."""
    found = ElementTree.fromstring(image).iterfind(f".//{SVG}rect[@class='{kind}']")
    return [(float(box.attrib["x"]), float(box.attrib["y"])) for box in found]


def test_a_badge_has_the_cards_and_the_table_of_the_element() -> None:
    lines = (Line.ONLINE, Line.TODAY, Line.TOTAL)
    said = texts(badge.svg(block(lines=lines)))
    for preset in Preset:
        cards = badge.svg(block(lines=lines, layout=Layout.CARD, icons=Icons.TILE, preset=preset))
        (one, two, three) = boxes(cards, "k")
        assert one[1] == two[1] < three[1]
        assert one[0] == three[0] < two[0]
        table = badge.svg(block(lines=lines, layout=Layout.TABLE, preset=preset))
        assert table.count('class="s"') == 2
        assert texts(cards) == texts(table) == said
    # After a gap, cards begin in a row of their own.
    (one, two, three) = boxes(
        badge.svg(block(lines=lines, layout=Layout.CARD, gap=Gap.ONLINE)), "k"
    )
    assert one[1] < two[1] == three[1]


def test_three_colours_of_the_portal_are_those_of_badge_and_page() -> None:
    query = b"preset=modern&theme=auto&color=%23312&background=FFFDF7&accent=b3140c"
    look = embed_options.parse(query, SITE).look
    for draw in (badge, page):
        made = draw.svg if draw is badge else draw.html
        painted = made(Block.of_site(look, NUMBERS))
        for colour in ("#331122", "#331122" + "2e", "#fffdf7", "#b3140c"):
            assert colour in painted
        # None that the preset had in their place, light or dark.
        for theme in (PRESETS[Preset.MODERN].light, PRESETS[Preset.MODERN].dark):
            for colour in (theme.text, theme.accent, theme.line):
                assert colour not in painted
        assert draw.policy(look) != draw.policy(embed_options.parse(b"preset=modern", SITE).look)
    # What has a ground of its own keeps it.
    headed = Block.of_site(embed_options.parse(b"preset=dnn&accent=b3140c", SITE).look, NUMBERS)
    assert ".h{fill:#14538c}" in badge.svg(headed)


def test_a_badge_in_one_line_is_as_high_as_a_line() -> None:
    def size(layout: Layout) -> tuple[int, int]:
        drawn = block(layout=layout, lines=(Line.ONLINE, Line.TODAY, Line.TOTAL), heading="")
        root = ElementTree.fromstring(badge.svg(drawn))
        return int(root.attrib["width"]), int(root.attrib["height"])

    listed, inline = size(Layout.LIST), size(Layout.INLINE)
    assert inline[1] * 3 == listed[1]
    assert inline[0] > listed[0]
