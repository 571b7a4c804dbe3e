"""The options of a block, the same for script, badge and page.

The settings of a site, the attributes of an element and the parameters of a badge have the same
names and values for an option. If none of them sets it, the default is given here.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

from services.model.colours import Colours
from services.model.lines import PEOPLE, Line
from services.model.wordings import WORDINGS, Wording

MAX_DIGITS = 20
MAX_HEADING = 100
MAX_LABEL = 60
MAX_UNIT = 20


class Lang(StrEnum):
    """The language of labels and heading."""

    VI = "vi"
    EN = "en"


class Theme(StrEnum):
    """Light, dark, or as the reader's system has it; the element, as the page around it."""

    LIGHT = "light"
    DARK = "dark"
    AUTO = "auto"


class Preset(StrEnum):
    """The look of the block, for portals of these systems."""

    PLAIN = "plain"
    LIFERAY = "liferay"
    DNN = "dnn"
    NUKEVIET = "nukeviet"
    JOOMLA = "joomla"
    DRUPAL = "drupal"
    WORDPRESS = "wordpress"
    MODERN = "modern"
    NATIONAL = "national"


class Format(StrEnum):
    """The thousands separator: 8307145, 8.307.145, 8,307,145, or with a narrow space."""

    PLAIN = "plain"
    DOT = "dot"
    COMMA = "comma"
    SPACE = "space"


class Icons(StrEnum):
    """The icon before the label of a line: none, a drawing, or one on a tile."""

    NONE = "none"
    LINE = "line"
    TILE = "tile"


class Layout(StrEnum):
    """How the lines are arranged: below each other, in a table, as cards, or in one line."""

    LIST = "list"
    TABLE = "table"
    CARD = "card"
    INLINE = "inline"


class Gap(StrEnum):
    """The gap between lines: none, or one after those about who is online."""

    NONE = "none"
    ONLINE = "online"


class Odometer(StrEnum):
    """How the digits look: on tiles, bare, of a lit display, or as the pictures of old counters."""

    TILES = "tiles"
    PLAIN = "plain"
    LED = "led"
    CLASSIC = "classic"


SEPARATORS: Mapping[Format, str] = {
    Format.PLAIN: "",
    Format.DOT: ".",
    Format.COMMA: ",",
    Format.SPACE: "\u202f",
}

FORMATS: Mapping[Lang, Format] = {Lang.VI: Format.DOT, Lang.EN: Format.COMMA}
"""How each language separates thousands."""

LABELS: Mapping[Lang, Mapping[Line, str]] = {
    Lang.VI: {line: line.vi for line in Line},
    Lang.EN: {line: line.en for line in Line},
}
HEADINGS: Mapping[Lang, str] = {Lang.VI: "Thống kê truy cập", Lang.EN: "Visitor statistics"}
MOST_READ: Mapping[Lang, str] = {Lang.VI: "Đọc nhiều nhất", Lang.EN: "Most read"}
"""The heading of `<most-read>`."""
VIEWS: Mapping[Lang, str] = {Lang.VI: "Lượt xem", Lang.EN: "Views"}
"""The label of the views of one page."""

# Line breaks, control characters, and characters not allowed in XML.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


class Choice(NamedTuple):
    """An option of a block that takes one of a few values.

    about  what it sets
    more   what else to know; '' for nothing
    """

    values: type[StrEnum]
    about: str
    more: str = ""

    @property
    def description(self) -> str:
        """What it sets, and what else to know."""
        return f"{self.about}; {self.more}" if self.more else self.about


CHOICES: Mapping[str, Choice] = {
    "lang": Choice(Lang, "language of labels and heading"),
    "theme": Choice(Theme, "theme", "auto follows the reader's system, in the element the page"),
    "preset": Choice(Preset, "look of the block, for portals of this system"),
    "format": Choice(
        Format, "thousands separator", "plain is none; by default, that of the language"
    ),
    "icons": Choice(Icons, "icon before each label"),
    "layout": Choice(Layout, "layout of the lines", "inline is one line"),
    "odometer": Choice(Odometer, "style of the digits"),
    "wording": Choice(
        Wording, "set of lines and Vietnamese labels", "applies where lines or labels are not set"
    ),
    "gap": Choice(
        Gap, "gap after the lines about who is online", "by default, as with the wording"
    ),
}


class Display(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The display options that are set on a site; None is not set.

    lines    in the order shown; without any, only heading and digits are shown
    digits   above 0, the total stands on top with at least that many digits, and in the lines
             only where they name it
    heading  the text over the block; '' is none
    labels   other labels for single lines
    unit     the word after each number but those online: `25.808 lượt`
    """

    lines: tuple[Line, ...] | None = None
    lang: Lang | None = None
    theme: Theme | None = None
    preset: Preset | None = None
    digits: Annotated[int, msgspec.Meta(ge=0, le=MAX_DIGITS)] | None = None
    format: Format | None = None
    heading: str | None = None
    labels: dict[Line, str] | None = None
    icons: Icons | None = None
    layout: Layout | None = None
    odometer: Odometer | None = None
    wording: Wording | None = None
    unit: str | None = None
    gap: Gap | None = None

    def __post_init__(self) -> None:
        """Check what types cannot express; ValueError names field, value and what was expected."""
        if self.lines is not None:
            twice = {str(line) for line in self.lines if self.lines.count(line) > 1}
            if twice:
                raise ValueError(f"lines: {', '.join(sorted(twice))} twice; expected each once")
        if self.heading is not None:
            _check_text("heading", self.heading, MAX_HEADING)
        if self.unit is not None:
            _check_text("unit", self.unit, MAX_UNIT)
        for line, label in (self.labels or {}).items():
            _check_text(f"labels: {line}", label, MAX_LABEL)

    def over(self, other: "Display") -> "Display":
        """Return the options of another, overridden by those that are set here."""
        set_here = {
            name: value
            for name in self.__struct_fields__
            if (value := getattr(self, name)) is not None
        }
        return msgspec.structs.replace(other, **set_here)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Every option of a block, with defaults filled in; `labels` has every line."""

    lines: tuple[Line, ...]
    lang: Lang
    theme: Theme
    preset: Preset
    digits: int
    format: Format
    heading: str
    labels: Mapping[Line, str]
    icons: Icons
    layout: Layout
    odometer: Odometer
    wording: Wording
    unit: str
    gap: Gap
    colours: Colours = Colours()

    @classmethod
    def of(cls, display: Display) -> "Look":
        """Fill in the defaults."""
        lang = display.lang or Lang.VI
        digits = display.digits or 0
        wording = display.wording or Wording.LUOT
        words = WORDINGS[wording]
        lines = display.lines
        if lines is None:
            lines = tuple(line for line in words.lines if not (digits and line is Line.TOTAL))
        return cls(
            lines=lines,
            lang=lang,
            # Most portals are light, whatever their readers' systems use. An image or a frame does
            # not know the page around it, so that `auto` has to be asked for.
            theme=display.theme or Theme.LIGHT,
            preset=display.preset or Preset.PLAIN,
            digits=digits,
            format=display.format or FORMATS[lang],
            heading=HEADINGS[lang] if display.heading is None else display.heading,
            labels={
                **LABELS[lang],
                **(words.labels if lang is Lang.VI else {}),
                **(display.labels or {}),
            },
            icons=display.icons or Icons.NONE,
            layout=display.layout or Layout.LIST,
            odometer=display.odometer or Odometer.TILES,
            wording=wording,
            unit=display.unit or "",
            gap=display.gap or (Gap.ONLINE if words.gap else Gap.NONE),
        )


def grouped(count: int, form: Format) -> str:
    """Return a number as text, with thousands separated in this format."""
    return f"{count:,}".replace(",", SEPARATORS[form])


def with_unit(line: Line, number: str, unit: str) -> str:
    """Return the number of a line with its unit; lines of people have none."""
    return f"{number} {unit}" if unit and line not in PEOPLE else number


def gap_before(lines: Sequence[Line]) -> int:
    """Return the index of the line before which there is a gap, after those online; 0 for none."""
    return next(
        (
            place
            for place in range(1, len(lines))
            if lines[place - 1] in PEOPLE and lines[place] not in PEOPLE
        ),
        0,
    )


def padded(count: int, digits: int) -> str:
    """Return a number with leading zeros; one with more digits keeps them all."""
    return f"{count:0{digits}d}"


def line_text(label: str, number: str) -> str:
    """Return a line as shown: `Hôm nay: 6325`."""
    return f"{label}: {number}"


def _check_text(field: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise ValueError(f"{field}: {len(text)} characters; expected at most {longest}")
    if unfit := _UNFIT.search(text):
        raise ValueError(
            f"{field}: {text!r} contains {unfit[0]!r}; expected one line without control characters"
        )
