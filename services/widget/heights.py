"""Sizes of a block, so that a portal can reserve its place before it loads."""

import re
from math import ceil
from typing import NamedTuple

from services.model.display import Look, Theme, grouped, line_text
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


# Measured in a browser at 12 pixels, where borders of one pixel count most. Tests compare them
# with what block.css makes (tests/browser/test_place.py).
_LIKE_TEXT = _Heights(0.4, 1.8, 2.33, 1.64)
_SPREAD = _Heights(0.7, 2.6, 3.03, 2.05)
_FRAME = 0.17
_TITLE = 0.21
_LIKE_TEXT_WITH_A_BACK = 0.6
_SPARE = 0.3

# The page for an iframe looks as the element does, in letters of 14 pixels.
_FRAME_FONT = 14
_FRAME_SIDES = 36
_FRAME_CELL = 17.1
_FRAME_NARROWEST = 200
_LARGEST = 99_999_999

_DRAWN = re.compile(r'<svg [^>]*?\bwidth="(\d+)" height="(\d+)"')


def element_height(look: Look, theme: Theme | None = None) -> float:
    """Return the height in ems of `<visitor-counter>` where no line wraps.

    `theme` is the one that is set; without any, the element follows its page.
    """
    return round(_height(look, has_back=theme in (Theme.LIGHT, Theme.DARK)), 1)


def frame(look: Look) -> Size:
    """Return the size of an iframe whose page does not scroll, in any preset."""
    number = width(grouped(_LARGEST, look.format), _FRAME_FONT, bold=True)
    widths = [
        _FRAME_NARROWEST,
        look.digits * _FRAME_CELL,
        width(look.heading, _FRAME_FONT, bold=True),
        *(width(line_text(look.labels[line], ""), _FRAME_FONT) + number for line in look.lines),
    ]
    height = _height(look, has_back=look.theme is not Theme.LIGHT) * _FRAME_FONT
    return Size(ceil(max(widths)) + _FRAME_SIDES, ceil(height))


def _height(look: Look, *, has_back: bool) -> float:
    looks = PRESETS[look.preset]
    part = _SPREAD if looks.spread else _LIKE_TEXT
    back = _LIKE_TEXT_WITH_A_BACK * (has_back and not looks.spread)
    height = part.around + _FRAME * looks.frame + _SPARE + part.line * len(look.lines) + back
    heading = part.heading + _TITLE * looks.title
    return height + heading * bool(look.heading) + part.digits * bool(look.digits)


def drawn(svg: str) -> Size:
    """Return the size of a badge. Raises ValueError for other text."""
    size = _DRAWN.match(svg)
    if size is None:
        raise ValueError(f"{svg[:60]!r}; expected an SVG image with a width and a height")
    return Size(int(size[1]), int(size[2]))
