"""Sizes of a block, so that a portal can reserve its space before it loads."""

import re
from math import ceil
from typing import NamedTuple

from services.model.display import (
    Gap,
    Icons,
    Layout,
    Look,
    Theme,
    gap_before,
    grouped,
    line_text,
)
from services.widget.looks import PRESETS
from services.widget.text_width import width


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class _Heights(NamedTuple):
    """What the parts of a block add to its height, in ems."""

    around: float
    heading: float
    digits: float
    line: float


# Measured in a browser at 12 pixels, where one-pixel borders matter most. Tests compare them
# with what block.css makes (tests/browser/test_place.py).
_LIKE_TEXT = _Heights(0.4, 1.8, 2.33, 1.64)
_SPREAD = _Heights(0.7, 2.6, 3.03, 2.05)
_FRAME = 0.17
_TITLE = 0.21
_LIKE_TEXT_WITH_A_BACK = 0.6
_SPARE = 0.3
_AIRY = 0.15
_CARD, _CARDS = 4.75, 1.8
_CARD_LIKE_TEXT, _CARDS_LIKE_TEXT = 4.75, 0.1
_CARDS_IN_FRAME = 1.0
_AIRY_IN_FRAME = 0.4
_BAR = 14
_GAP = 0.7

# The page for an iframe looks like the element, with text of 14 pixels.
_FRAME_FONT = 14
_FRAME_SIDES = 36
_FRAME_ICON = 30
_FRAME_CELL = 17.1
_FRAME_NARROWEST = 200
_FRAME_CARDS = 320
_LARGEST = 99_999_999

_DRAWN = re.compile(r'<svg [^>]*?\bwidth="(\d+)" height="(\d+)"')


def element_height(look: Look, theme: Theme | None = None) -> float:
    """Return the height of `<visitor-counter>` in ems, if no line wraps.

    `theme` is the one that is set; without one, the element follows its page.
    """
    return round(_height(look, has_back=theme in (Theme.LIGHT, Theme.DARK)), 1)


def frame(look: Look) -> Size:
    """Return the size of an iframe whose page does not scroll, in any preset."""
    number = width(grouped(_LARGEST, look.format), _FRAME_FONT, bold=True)
    widths = [
        _FRAME_CARDS if look.layout is Layout.CARD else _FRAME_NARROWEST,
        look.digits * _FRAME_CELL,
        width(look.heading, _FRAME_FONT, bold=True),
        *_together(look, number),
    ]
    has_back = look.theme is not Theme.LIGHT
    height = _height(look, has_back=has_back, framed=True) * _FRAME_FONT
    return Size(ceil(max(widths)) + _FRAME_SIDES, ceil(height))


def _together(look: Look, number: float) -> list[float]:
    """Return the widths of everything that is on one line."""
    icon = _FRAME_ICON * (look.icons is not Icons.NONE)
    unit = width(f" {look.unit}", _FRAME_FONT, bold=True) if look.unit else 0
    lines = [
        icon + width(line_text(look.labels[line], ""), _FRAME_FONT) + number + unit
        for line in look.lines
    ]
    return [sum(lines) + _BAR * len(lines)] if look.layout is Layout.INLINE else lines


def _height(look: Look, *, has_back: bool, framed: bool = False) -> float:
    looks = PRESETS[look.preset]
    part = _SPREAD if looks.spread else _LIKE_TEXT
    back = _LIKE_TEXT_WITH_A_BACK * (has_back and not looks.spread)
    lines = _lines(look, part.line, framed=framed)
    height = part.around + _FRAME * looks.frame + _SPARE + lines + back
    heading = part.heading + _TITLE * looks.title
    return height + heading * bool(look.heading) + part.digits * bool(look.digits)


def _lines(look: Look, line: float, *, framed: bool) -> float:
    """Return the height of the lines; cards are in rows of two."""
    spread = PRESETS[look.preset].spread
    many = len(look.lines)
    parted = gap_before(look.lines) if look.gap is Gap.ONLINE else 0
    if look.layout is Layout.INLINE:
        return line * min(many, 1)
    if look.layout is Layout.CARD:
        rows = ceil(parted / 2) + ceil((many - parted) / 2)
        if framed:
            return _CARD * rows + _CARDS_IN_FRAME
        if spread:
            return _CARD * rows + _CARDS
        return _CARD_LIKE_TEXT * rows + _CARDS_LIKE_TEXT
    gap = _GAP if parted else 0
    if look.layout is Layout.TABLE or look.icons is Icons.TILE:
        airy = _AIRY_IN_FRAME if framed and not spread else _AIRY
        return (_SPREAD.line + airy) * many + gap
    return line * many + gap


def drawn(svg: str) -> Size:
    """Return the size of a badge. Raises ValueError for other text."""
    size = _DRAWN.match(svg)
    if size is None:
        raise ValueError(f"{svg[:60]!r}; expected an SVG image with a width and a height")
    return Size(int(size[1]), int(size[2]))
