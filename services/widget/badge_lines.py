"""Draws the lines of a badge: as a list, as a table, as cards, or in one line."""

from collections.abc import Callable, Iterator
from html import escape
from typing import NamedTuple

from services.model.display import Icons, Layout, line_text
from services.widget.block import Block
from services.widget.icons import ICONS
from services.widget.looks import Looks
from services.widget.text_width import width

SIZE = 12
_BETWEEN = 16
_ICON = 20
_TILE = 24
_DRAWN = 13
_BAR = "  |  "
_PART = 8
_TABLE_ROW = 27
_CARD_HIGH = 50
_CARD_PAD = 8
_CARD_GAP = 6
_CARD_LABEL = 10.2
_CARD_NUMBER = 15
_CARDS_A_ROW = 2
_INSET = 8
"""Padding of the text in a table without a frame, whose stripes end at the block's edges."""

STYLE = (
    ".i{fill:none;stroke-width:2px;stroke-linecap:round;stroke-linejoin:round}"
    f".s{{fill-opacity:.05}}.k{{fill:none}}.v{{font-size:{_CARD_LABEL}px}}"
    f".x{{font-size:{_CARD_NUMBER}px}}"
)


class Place(NamedTuple):
    """Where the lines go, in pixels.

    top, row    where they begin, and the height of one line of a list
    left, right  the edges of their text
    edges       the edges of their background, in a table
    round_      radii of the corners that a table reaches into: at its top and bottom
    """

    top: int
    row: int
    left: int
    right: int
    edges: tuple[int, int]
    round_: tuple[int, int]


class DrawnLines(NamedTuple):
    """The SVG of the lines, and where they end."""

    parts: list[str]
    foot: int


def fitted(pixels: float) -> str:
    """Return the attributes that fit text to a width, whatever the font."""
    return f' textLength="{pixels:.2f}" lengthAdjust="spacingAndGlyphs"'


def widths(block: Block, looks: Looks) -> Iterator[float]:
    """Yield the widths that the lines need."""
    layout = block.look.layout
    if layout is Layout.INLINE:
        yield sum(_inline_widths(block))
    elif layout is Layout.CARD:
        yield _columns(block) * (_card_width(block) + _CARD_GAP) - _CARD_GAP
    else:
        gap = _BETWEEN if looks.spread or layout is Layout.TABLE else 0
        for label, number in block.lines:
            words = _label_width(label) + gap + width(number, SIZE, bold=True)
            yield _room(block) + words + 2 * _inset(looks, layout)


def drawn(block: Block, looks: Looks, at: Place) -> DrawnLines:
    """Draw the lines of a block that has any."""
    return _DRAW[block.look.layout](block, looks, at)


def _list(block: Block, looks: Looks, at: Place) -> DrawnLines:
    parts: list[str] = []
    y = at.top
    for place, (label, number) in enumerate(block.lines):
        if place and looks.spread:
            parts.append(f'<path class="r" d="M{at.left} {y}.5H{at.right}"/>')
        y += _PART * (place > 0 and place == block.gap)
        parts.append(_icon(block, place, at.left, y + at.row / 2))
        base = y + (at.row + 8) // 2
        left = at.left + _room(block)
        parts.append(_line(label, number, (left, at.right), base, spread=looks.spread))
        y += at.row
    return DrawnLines(parts, y)


def _table(block: Block, looks: Looks, at: Place) -> DrawnLines:
    parts: list[str] = []
    y, last = at.top, len(block.lines) - 1
    left, right = at.edges
    start, end = at.left + _inset(looks, Layout.TABLE), at.right - _inset(looks, Layout.TABLE)
    for place, (label, number) in enumerate(block.lines):
        if place:
            parts.append(f'<path class="l" d="M{left} {y}.5H{right}"/>')
        y += _PART * (place > 0 and place == block.gap)
        if place % 2 == 0:
            corners = at.round_[0] * (not place), at.round_[1] * (place == last)
            parts.append(_stripe(left, right, y, y + _TABLE_ROW, corners))
        parts.append(_icon(block, place, start, y + _TABLE_ROW / 2))
        base = y + (_TABLE_ROW + 8) // 2
        parts.append(_line(label, number, (start + _room(block), end), base, spread=True))
        y += _TABLE_ROW
    return DrawnLines(parts, y)


def _cards(block: Block, looks: Looks, at: Place) -> DrawnLines:
    parts: list[str] = []
    y = at.top + _CARD_GAP
    for places in _card_rows(block):
        wide = (at.right - at.left + _CARD_GAP) / len(places) - _CARD_GAP
        for column, place in enumerate(places):
            parts += _card(block, looks, place, (at.left + column * (wide + _CARD_GAP), y, wide))
        y += _CARD_HIGH + _CARD_GAP
    return DrawnLines(parts, y)


def _card_rows(block: Block) -> Iterator[range]:
    """Yield the places of the cards in each row, which they fill; a gap begins a new row."""
    for begin, end in ((0, block.gap), (block.gap, len(block.lines))):
        for first in range(begin, end, _CARDS_A_ROW):
            yield range(first, min(first + _CARDS_A_ROW, end))


def _card(block: Block, looks: Looks, place: int, at: tuple[float, int, float]) -> Iterator[str]:
    x, y, wide = at
    label, number = block.lines[place]
    words = width(line_text(label, ""), _CARD_LABEL)
    long = width(number, _CARD_NUMBER, bold=True)
    start = x + (wide - _room(block) - words) / 2
    yield (
        f'<rect class="k" x="{x + 0.5:.2f}" y="{y}.5" width="{wide - 1:.2f}"'
        f' height="{_CARD_HIGH - 1}" rx="{looks.card}"/>'
    )
    yield _icon(block, place, start, y + 16)
    yield (
        f'<text><tspan class="v" x="{start + _room(block):.2f}" y="{y + 20}"{fitted(words)}>'
        f"{escape(line_text(label, ''))}</tspan>"
        f'<tspan class="n x" x="{x + (wide - long) / 2:.2f}" y="{y + 40}"{fitted(long)}>'
        f"{escape(number)}</tspan></text>"
    )


def _in_one_line(block: Block, looks: Looks, at: Place) -> DrawnLines:
    parts: list[str] = []
    x: float = at.left
    base = at.top + (at.row + 8) // 2
    for place, (label, number) in enumerate(block.lines):
        if place:
            room = width(_BAR, SIZE)
            parts.append(f'<text x="{x:.2f}" y="{base}"{fitted(room)}>{_BAR}</text>')
            x += room
        words, long = _label_width(label), width(number, SIZE, bold=True)
        right = round(x + words + long)
        parts.append(_line(label, number, (x, right), base, spread=False))
        x += words + long
    return DrawnLines(parts, at.top + at.row)


_DRAW: dict[Layout, Callable[[Block, Looks, Place], DrawnLines]] = {
    Layout.LIST: _list,
    Layout.TABLE: _table,
    Layout.CARD: _cards,
    Layout.INLINE: _in_one_line,
}


def _inline_widths(block: Block) -> Iterator[float]:
    """Yield the widths of all labels, numbers and separators, in order."""
    for place, (label, number) in enumerate(block.lines):
        if place:
            yield width(_BAR, SIZE)
        yield _label_width(label)
        yield width(number, SIZE, bold=True)


def _inset(looks: Looks, layout: Layout) -> int:
    return 0 if looks.spread or layout is not Layout.TABLE else _INSET


def _columns(block: Block) -> int:
    return min(len(block.lines), _CARDS_A_ROW) or 1


def _card_width(block: Block) -> float:
    return 2 * _CARD_PAD + max(
        max(
            _room(block) + width(line_text(label, ""), _CARD_LABEL),
            width(number, _CARD_NUMBER, bold=True),
        )
        for label, number in block.lines
    )


def _room(block: Block) -> int:
    """Return the width that icons take up at the left."""
    if not block.kinds or block.look.layout is Layout.INLINE:
        return 0
    return {Icons.NONE: 0, Icons.LINE: _ICON, Icons.TILE: _TILE}[block.look.icons]


def _icon(block: Block, place: int, left: float, middle: float) -> str:
    if not _room(block):
        return ""
    tile, edge = "", 0
    if block.look.icons is Icons.TILE:
        edge = 2
        side = _DRAWN + 2 * edge
        tile = (
            f'<rect class="q" x="{left:g}" y="{middle - side / 2:g}" width="{side}" height="{side}"'
            ' rx="4"/>'
        )
    kind = "i w" if tile else "i"
    return (
        f'{tile}<path class="{kind}" d="{ICONS[block.kinds[place]]}" transform="'
        f'translate({left + edge:g} {middle - _DRAWN / 2:g}) scale({_DRAWN / 24:.3f})"/>'
    )


def _label_width(label: str) -> float:
    return width(line_text(label, ""), SIZE)


def _line(label: str, number: str, sides: tuple[float, int], base: int, *, spread: bool) -> str:
    left, right = sides
    label_width = _label_width(label)
    number_width = width(number, SIZE, bold=True)
    x = right - number_width if spread else left + label_width
    return (
        f'<text x="{left:.2f}" y="{base}"><tspan{fitted(label_width)}>'
        f"{escape(line_text(label, ''))}</tspan>"
        f'<tspan class="n" x="{x:.2f}"{fitted(number_width)}>{escape(number)}</tspan></text>'
    )


def _stripe(left: int, right: int, top: int, foot: int, corners: tuple[int, int]) -> str:
    """Return the background of a row, rounded at the corners of the frame."""
    above, below = corners
    return (
        f'<path class="s" d="M{left} {top + above}a{above} {above} 0 0 1 {above} -{above}'
        f"H{right - above}a{above} {above} 0 0 1 {above} {above}"
        f"V{foot - below}a{below} {below} 0 0 1 -{below} {below}"
        f'H{left + below}a{below} {below} 0 0 1 -{below} -{below}z"/>'
    )
