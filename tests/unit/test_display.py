"""What a block shows and looks like, from the site's settings down to the defaults."""

import re
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.model.display import (
    HEADINGS,
    LABELS,
    MOST_READ,
    VIEWS,
    Display,
    Format,
    Lang,
    Look,
    Preset,
    Theme,
    grouped,
    line_text,
    padded,
    with_unit,
)
from services.model.lines import DEFAULT_LINES, Line
from services.model.site import Site
from services.model.wordings import Wording

ROOT = Path(__file__).parents[2]


def test_every_language_has_every_label() -> None:
    for lang in Lang:
        assert list(LABELS[lang]) == list(Line)
        assert HEADINGS[lang]
        assert MOST_READ[lang]
        assert VIEWS[lang]


@pytest.mark.parametrize(("option", "names"), [("lines", Line), ("preset", Preset)])
def test_the_documents_list_every_line_and_preset(option: str, names: type[StrEnum]) -> None:
    embedding = (ROOT / "docs" / "embedding.md").read_text("utf-8")
    row = re.search(rf"^\| `{option}` \| ([^|]*) \|", embedding, re.MULTILINE)
    assert row
    assert re.findall(r"`(\w+)`", row[1]) == list(names)
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in names if f"`{name}`" not in readme] == []


def test_the_documents_say_which_lines_a_block_shows_by_itself() -> None:
    embedding = (ROOT / "docs" / "embedding.md").read_text("utf-8")
    assert f"| `{','.join(DEFAULT_LINES)}` |" in embedding


def test_a_wording_has_the_lines_and_labels_of_another_counter_until_others_are_set() -> None:
    look = Look.of(Display(wording=Wording.ASPNET))
    assert look.lines[0] is Line.ONLINE
    assert look.lines[-1] is Line.TOTAL
    assert (look.labels[Line.ONLINE], look.labels[Line.TOTAL]) == ("Đang online", "Tất cả")
    own = Display(wording=Wording.ASPNET, lines=(Line.TODAY,), labels={Line.TOTAL: "Tổng"})
    assert Look.of(own).lines == (Line.TODAY,)
    assert Look.of(own).labels[Line.TOTAL] == "Tổng"
    # The words of other counters are Vietnamese.
    english = Look.of(Display(wording=Wording.ASPNET, lang=Lang.EN))
    assert english.labels == LABELS[Lang.EN]
    assert Line.TOTAL not in Look.of(Display(wording=Wording.ASPNET, digits=8)).lines


def test_thousands_are_parted_as_the_language_does() -> None:
    assert Look.of(Display()).format is Format.DOT
    assert Look.of(Display(lang=Lang.EN)).format is Format.COMMA
    assert Look.of(Display(lang=Lang.EN, format=Format.PLAIN)).format is Format.PLAIN


def test_a_unit_stands_after_counts_and_not_after_people() -> None:
    assert with_unit(Line.TOTAL, "25.808", "lượt") == "25.808 lượt"
    assert with_unit(Line.ONLINE, "12", "lượt") == "12"
    assert with_unit(Line.TOTAL, "25.808", "") == "25.808"
    with pytest.raises(msgspec.ValidationError, match="unit: 21 characters"):
        msgspec.convert({"unit": "x" * 21}, Display)


def test_what_is_not_set_has_its_default() -> None:
    look = Look.of(Display())
    assert look.lines == DEFAULT_LINES
    assert (look.lang, look.theme, look.preset) == (Lang.VI, Theme.LIGHT, Preset.PLAIN)
    assert (look.digits, look.format, look.heading) == (0, Format.DOT, "Thống kê truy cập")


def test_of_two_settings_the_nearer_one_counts() -> None:
    site = Display(lang=Lang.EN, heading="Visits", digits=8)
    element = Display(heading="", digits=0)
    assert element.over(site) == Display(lang=Lang.EN, heading="", digits=0)
    assert Look.of(site).heading == "Visits"
    assert Look.of(Display(lang=Lang.EN)).heading == "Visitor statistics"


def test_a_total_on_top_is_not_repeated_below_unless_the_lines_name_it() -> None:
    assert Line.TOTAL not in Look.of(Display(digits=11)).lines
    lines = (Line.TODAY, Line.TOTAL)
    assert Look.of(Display(digits=11, lines=lines)).lines == lines


def test_the_numbers_of_the_portals_are_written_as_they_write_them() -> None:
    assert padded(8307145, 11) == "00008307145"
    assert padded(8307145, 3) == "8307145"
    assert grouped(8307145, Format.PLAIN) == "8307145"
    assert grouped(8307145, Format.DOT) == "8.307.145"
    assert grouped(8307145, Format.COMMA) == "8,307,145"
    assert grouped(8307145, Format.SPACE) == "8\u202f307\u202f145"
    look = Look.of(Display(labels={Line.ONLINE: "Đang truy cập "}))
    assert line_text(look.labels[Line.ONLINE], grouped(1, look.format)) == "Đang truy cập : 1"


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"lines": ["today", "total", "today"]}, "lines: today twice"),
        ({"heading": "a\nb"}, r"heading: 'a\\nb' contains"),
        ({"heading": "x" * 101}, "heading: 101 characters; expected at most 100"),
        ({"labels": {"total": "a\ufffe"}}, "labels: total: "),
        ({"labels": {"noon": "a"}}, "noon"),
        ({"lang": "fr"}, "fr"),
        ({"digits": 21}, "digits"),
        ({"digits": -1}, "digits"),
    ],
)
def test_a_setting_that_cannot_be_shown_is_named(setting: object, named: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.convert(setting, Display)


@given(
    st.lists(st.sampled_from(list(Line)), unique=True).map(tuple),
    st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=60),
)
def test_a_site_is_stored_with_its_display_and_an_old_one_is_read_without(
    lines: tuple[Line, ...], text: str
) -> None:
    display = Display(lines=lines, heading=text, labels={Line.PEAK: text})
    site = Site(slug="mytho", display=display)
    assert msgspec.json.decode(msgspec.json.encode(site), type=Site) == site
    assert msgspec.json.decode(b'{"slug": "mytho"}', type=Site).display == Display()
