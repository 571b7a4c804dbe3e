"""The pages of the demo: light, well-formed, and honest about the lines they use."""

import re
from collections import Counter
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser

import pytest

from services.standalone import demo
from services.standalone.demo.portals import PORTALS

NOW = datetime(2023, 10, 4, 17, 30, tzinfo=UTC)
ORIGIN = "https://thongke.example.vn"
PAGES = sorted({path for portal in PORTALS for path in demo.paths(portal.site)} | {*demo.paths()})
MOST_BYTES = 30_000
VOID = {"br", "img", "link", "meta", "wbr"}


def source(path: str) -> str:
    document = demo.document(path, ORIGIN, NOW)
    assert document is not None
    return document.body.decode()


class Outline(HTMLParser):
    """What a page is made of; fails on a tag that is closed out of turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_well_formed_and_has_nothing_inline(path: str) -> None:
    outline = Outline(source(path))
    assert (outline.tags["main"], outline.tags["h1"], outline.tags["title"]) == (1, 1, 1)
    assert outline.tags["style"] == 0
    names = {name for name, _ in outline.attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}
    ids = [value for name, value in outline.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert ("lang", "vi") in outline.attributes


def test_a_tag_that_is_closed_out_of_turn_would_be_found() -> None:
    with pytest.raises(AssertionError):
        Outline("<p><b></p></b>")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_light_with_all_that_it_loads_from_the_portal(path: str) -> None:
    html = source(path)
    loaded = set(re.findall(r'(?:src|href)="(/demo/static/[^"]+)"', html))
    sizes = [len(demo.assets()[file].body) for file in loaded]
    assert len(html.encode()) + sum(sizes) < MOST_BYTES


@pytest.mark.parametrize("path", PAGES)
def test_the_panel_shows_lines_that_the_page_has(path: str) -> None:
    page, _, panel = source(path).partition('<aside id="luot-panel"')
    codes = re.findall(r"<pre[^>]*><code>(.*?)</code>", panel, re.DOTALL)
    shown = [unescape(re.sub("</?(?:span|wbr)>", "", code)) for code in codes]
    lines = [code.replace(ORIGIN, "") for code in shown if "<" in code]
    assert lines
    assert [line for line in lines if line not in page] == []
    addresses = re.findall(r'(?:src|href)="([^"]*)"', " ".join(shown))
    assert [address for address in addresses if not address.startswith(ORIGIN)] == []
    assert "luot: " not in page


@pytest.mark.parametrize("path", PAGES)
def test_the_panel_shows_the_line_of_style_where_there_is_a_block(path: str) -> None:
    page, _, panel = source(path).partition('<aside id="luot-panel"')
    text = re.sub("<[^>]*>", "", panel)
    has_block = "<visitor-counter" in page
    assert bool(re.search(r"visitor-counter { display: block; min-height: \d", text)) == has_block


@pytest.mark.parametrize("path", PAGES)
def test_a_line_of_code_breaks_between_words_or_at_a_seam_of_a_long_one(path: str) -> None:
    panel = source(path).partition('<aside id="luot-panel"')[2]
    for code in re.findall(r"<pre[^>]*><code>(.*?)</code>", panel, re.DOTALL):
        for word in re.sub(r"<span>[^<\s]*</span>", "", code).split():
            pieces = [unescape(piece) for piece in word.split("<wbr>")]
            assert max(map(len, pieces)) <= 40 or not {*"/?,"} & {*word}
            assert all(
                piece.endswith(("/", "?", "&amp;", ",", ">")) and not piece.endswith("</")
                for piece in pieces[:-1]
            )


def test_a_picture_of_numbers_leads_to_the_numbers_as_text() -> None:
    for path in demo.paths("demo-nghean"):
        page = source(path).partition('<aside id="luot-panel"')[0]
        pictures = re.findall(r'<img src="/counter/demo-nghean\.svg\?([^"]*)" alt="[^"]+">', page)
        linked = re.findall(
            r'<a href="/counter/demo-nghean\.html\?([^"]*)">'
            r'<img src="/counter/demo-nghean\.svg\?([^"]*)" alt="[^"]+"></a>',
            page,
        )
        assert pictures
        assert linked == [(picture, picture) for picture in pictures]


def test_a_label_and_its_number_stand_on_one_line() -> None:
    for path in demo.paths():
        if path.startswith("/demo/mau"):
            page = source(path).partition('<aside id="luot-panel"')[0]
            assert page.count("data-luot-views") == page.count(
                "Lượt&nbsp;xem:&nbsp;<span data-luot-views"
            )


def test_an_address_that_is_markup_stays_text() -> None:
    document = demo.document("/demo", '"><script>alert(1)</script>\\1', NOW)
    assert document is not None
    assert b"<script>alert" not in document.body


def test_the_day_at_the_head_of_a_page_is_the_portals_own() -> None:
    assert "Thứ Năm, ngày 5 tháng 10 năm 2023" in source("/demo/hcm")


def test_a_portal_that_strips_scripts_has_none_and_allows_none() -> None:
    for path in demo.paths("demo-nghean"):
        document = demo.document(path, ORIGIN, NOW)
        assert document is not None
        assert b"<script" not in document.body
        assert "script-src" not in document.policy
        assert document.policy.startswith("default-src 'none'")


def test_each_site_has_its_own_pages_home_first() -> None:
    for portal in PORTALS:
        paths = demo.paths(portal.site)
        assert paths[0] == portal.home
        assert len(paths) >= 4
    assert demo.paths("elsewhere") == demo.paths("demo")
