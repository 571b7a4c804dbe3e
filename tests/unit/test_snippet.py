"""What a portal is told to put into its pages."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.model.display import Display, Look, Preset
from services.model.lines import DEFAULT_LINES, Line
from services.widget import badge, esbuild, page
from services.widget.block import Block
from services.widget.heights import Size, drawn, frame
from services.widget.page_address import PAGE_ADDRESS
from services.widget.snippet import PinnedScript, Snippet
from tests import require

URL = "https://thongke.example.vn"
ROOT = Path(__file__).parents[2]
EMBEDDING = (ROOT / "docs/embedding.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
NUMBERS: dict[str, Any] = {**dict.fromkeys(Line, 8307145), Line.PEAK: {"online": 77}}


def snippet(display: dict[str, Any] | None = None, drawn: Size | None = None) -> Snippet:
    scripts = PinnedScript("0.1.0", "/v0.1.0/counter.js", "sha384-abc")
    return Snippet(URL, "mytho", scripts, display, drawn)


class Read(HTMLParser):
    """What stands in a text: its comments, tags and words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.comments: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_block_says_nothing_that_the_settings_of_the_site_say() -> None:
    told = snippet({"preset": "dnn", "digits": 11, "lines": ["today"]}).ways()
    assert told["block"] == "<visitor-counter></visitor-counter>"


def test_the_image_stands_beside_the_script_or_instead_of_it() -> None:
    ways = snippet().ways()
    assert ways["image"] == f"<noscript>{ways['image_alone']}</noscript>"
    assert ways["image_alone"].startswith(f'<img src="{URL}/hit.gif?d=mytho"')
    text = snippet().text()
    beside, alone = (text.index(f"\n{ways[way]}\n") for way in ("image", "image_alone"))
    assert beside < text.index("Without a script") < alone


@pytest.mark.parametrize("preset", PAGE_ADDRESS)
def test_the_image_names_its_page_as_the_templates_of_the_portal_write_it(preset: Preset) -> None:
    ways = snippet({"preset": preset}).ways()
    for way in ("image", "image_alone"):
        assert f'?d=mytho&amp;u={PAGE_ADDRESS[preset]}" width' in ways[way]
    code = PAGE_ADDRESS[preset].replace("|", "\\|")
    assert f"`{code}`" in EMBEDDING


def test_browsers_without_modules_are_counted_by_a_script_that_only_they_run() -> None:
    old = snippet().ways()["old"]
    code = old.removeprefix("<script nomodule>").removesuffix("</script>")
    assert "<" not in code
    assert f"```html\n{old}\n```" in EMBEDDING
    try:
        program = esbuild.find()
    except esbuild.EsbuildError as error:
        require.missing(f"esbuild ({error})")
    # What is not of 2009, it refuses.
    assert "hit.gif" in esbuild.run([program, "--target=es5"], stdin=code)
    with pytest.raises(esbuild.EsbuildError):
        esbuild.run([program, "--target=es5"], stdin=f"const late = 1; {code}")


def test_the_badge_is_a_link_to_the_numbers_and_keeps_its_place() -> None:
    assert snippet(drawn=Size(222, 130)).ways()["badge"] == (
        f'<a href="{URL}/counter/mytho.html"><img src="{URL}/counter/mytho.svg" width="222"'
        ' height="130" alt="Thống kê truy cập: xem các con số"></a>'
    )
    english = snippet({"lang": "en", "heading": ""}).ways()["badge"]
    assert 'alt="Visitor statistics: see the numbers"' in english
    assert "width" not in english


@pytest.mark.parametrize("preset", Preset)
def test_a_size_is_read_from_the_badge_as_it_is_drawn(preset: Preset) -> None:
    block = Block.of_site(Look.of(Display(preset=preset)), NUMBERS)
    svg = badge.svg(block)
    size = drawn(svg)
    assert f'viewBox="0 0 {size.width} {size.height}"' in svg
    with pytest.raises(ValueError, match="expected an SVG image"):
        drawn(page.html(block))


def test_the_text_keeps_its_lines_and_the_frame_has_no_border() -> None:
    ways = snippet().ways()
    assert ways["include"] == '<pre><!--#include virtual="/counter/mytho.txt" --></pre>'
    assert 'frameborder="0"' in ways["frame"]
    size = frame(Look.of(Display()))
    assert f'width="{size.width}" height="{size.height}"' in ways["frame"]


def test_a_place_grows_with_what_is_shown() -> None:
    def height(**display: Any) -> float:
        style = snippet(display).ways()["style"]
        found = re.fullmatch(r"visitor-counter \{ display: block; min-height: ([\d.]+)em \}", style)
        assert found, style
        return float(found[1])

    assert height(heading="") < height() < height(lines=[*DEFAULT_LINES, "peak"])
    assert height(lines=["today"]) < height(lines=["today"], digits=8)
    assert height() < height(preset="joomla")
    assert height() < height(theme="dark")


def test_an_option_that_is_not_known_is_named() -> None:
    with pytest.raises(msgspec.ValidationError, match="preset"):
        snippet({"preset": "sharepoint"})


def test_everything_is_said_in_the_order_in_which_it_is_needed() -> None:
    told = snippet({"preset": "dnn"})
    text = told.text()
    places = [text.index(f"\n{way}") for way in told.ways().values()]
    assert places == sorted(places)
    longest = max(len(line) for title in Read(text).comments for line in title.splitlines())
    assert longest <= 100


def test_a_line_of_a_policy_is_only_added_to_where_the_portal_has_it() -> None:
    *_, policy = Read(snippet().text()).comments
    told = " ".join(policy.split())
    assert "Add to those of these directives that the portal has" in told
    assert "first create the directive as a copy of default-src" in told
    assert "trusted-types only if the portal sends require-trusted-types-for" in told


def test_the_help_says_which_address_is_printed() -> None:
    done = CliRunner().invoke(app, ["snippet", "--help"], env={"COLUMNS": "200"})
    assert "LUOT_PUBLIC_URL of the API" in done.stdout


def test_the_documents_show_the_late_script_as_it_is_printed() -> None:
    told = snippet()
    assert f"```html\n{told.ways()['late']}\n```" in EMBEDDING
    # Of this very address and site; whoever has another is told by the command.
    assert f"`{told.late_source()}`" in EMBEDDING


def test_the_documents_show_the_image_beside_the_script_and_instead_of_it() -> None:
    image = snippet().ways()["image_alone"]
    assert f"```html\n{image}\n```" in EMBEDDING
    blocks = re.findall(r"```html\n(.*?)```", README, re.DOTALL)
    shown = [" ".join(block.split()) for block in blocks]
    assert image in shown
    assert f"<noscript>{image}</noscript>" in shown


def test_the_documents_show_the_badge_the_frame_and_the_place_as_they_are_printed() -> None:
    ways = snippet(drawn=drawn(badge.svg(Block.of_site(Look.of(Display()), NUMBERS)))).ways()
    assert f"```css\n{ways['style']}\n```" in EMBEDDING
    # Their sizes may differ by a few pixels from those of another version.
    without_sizes = re.sub(r"(width|height)=\"\d+\"", "", EMBEDDING)
    for way in ("badge", "frame"):
        assert re.sub(r"(width|height)=\"\d+\"", "", ways[way]) in without_sizes
