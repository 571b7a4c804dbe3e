"""How much room a block takes in a page, to be kept before it is there."""

import re
from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from services.api.textwidth import width
from services.model.display import Look, Preset, Theme, grouped, line_text


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
_FRAMED = _Heights(0.87, 2.6, 3.03, 2.05)
_HEIGHTS: Mapping[Preset, _Heights] = {
    **dict.fromkeys(Preset, _FRAMED),
    Preset.PLAIN: _Heights(0.4, 1.8, 2.33, 1.64),
    Preset.WORDPRESS: _Heights(0.7, 2.81, 3.03, 2.05),
}
_PLAIN_WITH_A_BACK = 0.6
_SPARE = 0.3

# The page for an iframe has letters of 14 pixels, lines of 21, and paddings in ems.
_FRAME_FONT = 14
_FRAME_SPARE = 8
_FRAME_HEADING = 36.0
_FRAME_DIGITS = 34.0
_FRAME_LINE = 27.6
_FRAME_AROUND = 9.0
_FRAME_SIDES = 36
_FRAME_CELL = 17.1
_FRAME_NARROWEST = 200
_LARGEST = 99_999_999

_DRAWN = re.compile(r'<svg [^>]*?\bwidth="(\d+)" height="(\d+)"')


def element_height(look: Look) -> float:
    """Return a height in ems into which `<visitor-counter>` fits where no line is broken."""
    part = _HEIGHTS[look.preset]
    back = look.preset is Preset.PLAIN and look.theme is not Theme.AUTO
    height = part.around + _SPARE + part.line * len(look.lines) + _PLAIN_WITH_A_BACK * back
    return round(height + part.heading * bool(look.heading) + part.digits * bool(look.digits), 1)


def frame(look: Look) -> Size:
    """Return a size into which the page for an iframe fits, in any preset, without scrolling."""
    number = width(grouped(_LARGEST, look.format), _FRAME_FONT, bold=True)
    widths = [
        _FRAME_NARROWEST,
        look.digits * _FRAME_CELL,
        width(look.heading, _FRAME_FONT, bold=True),
        *(width(line_text(look.labels[line], ""), _FRAME_FONT) + number for line in look.lines),
    ]
    height = _FRAME_AROUND + _FRAME_SPARE + _FRAME_LINE * len(look.lines)
    height += _FRAME_HEADING * bool(look.heading) + _FRAME_DIGITS * bool(look.digits)
    return Size(ceil(max(widths)) + _FRAME_SIDES, ceil(height))


def drawn(svg: str) -> Size:
    """Return the size of a badge as it is drawn. Raises ValueError for what is no badge."""
    found = _DRAWN.match(svg)
    if found is None:
        raise ValueError(f"{svg[:60]!r}; expected an SVG image with a width and a height")
    return Size(int(found[1]), int(found[2]))
