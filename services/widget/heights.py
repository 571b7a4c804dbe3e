"""How much room a block takes in a page, to be kept before it is there."""

import re
from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from services.model.display import Look, Preset, Theme, grouped, line_text
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
_FRAMED = _Heights(0.87, 2.6, 3.03, 2.05)
_HEIGHTS: Mapping[Preset, _Heights] = {
    **dict.fromkeys(Preset, _FRAMED),
    Preset.PLAIN: _Heights(0.4, 1.8, 2.33, 1.64),
    Preset.WORDPRESS: _Heights(0.7, 2.81, 3.03, 2.05),
}
_PLAIN_WITH_A_BACK = 0.6
_SPARE = 0.3

# The page for an iframe looks as the element does, in letters of 14 pixels.
_FRAME_FONT = 14
_FRAME_SIDES = 36
_FRAME_CELL = 17.1
_FRAME_NARROWEST = 200
_LARGEST = 99_999_999

_DRAWN = re.compile(r'<svg [^>]*?\bwidth="(\d+)" height="(\d+)"')


def element_height(look: Look, theme: Theme | None = None) -> float:
    """Return a height in ems into which `<visitor-counter>` fits where no line is broken.

    `theme` is what was chosen for it; the element follows its page where nothing was.
    """
    return round(_height(look, has_back=theme in (Theme.LIGHT, Theme.DARK)), 1)


def frame(look: Look) -> Size:
    """Return a size into which the page for an iframe fits, in any preset, without scrolling."""
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
    part = _HEIGHTS[look.preset]
    back = _PLAIN_WITH_A_BACK * (has_back and look.preset is Preset.PLAIN)
    height = part.around + _SPARE + part.line * len(look.lines) + back
    return height + part.heading * bool(look.heading) + part.digits * bool(look.digits)


def drawn(svg: str) -> Size:
    """Return the size of a badge as it is drawn. Raises ValueError for what is no badge."""
    found = _DRAWN.match(svg)
    if found is None:
        raise ValueError(f"{svg[:60]!r}; expected an SVG image with a width and a height")
    return Size(int(found[1]), int(found[2]))
