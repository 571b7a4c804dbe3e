"""Renders the block as an SVG image whose text can be read and selected."""

from collections.abc import Iterator
from functools import lru_cache
from html import escape
from math import ceil
from typing import NamedTuple

from services.http import csp
from services.model.colours import Colours
from services.model.display import Layout, Look, Odometer, Preset, Theme
from services.widget import badge_lines
from services.widget.badge_lines import SIZE, Place, fitted
from services.widget.block import Block
from services.widget.looks import Looks, Palette, painted, themed
from services.widget.text_width import width

MEDIA_TYPE = "image/svg+xml"

_FONT = 'Verdana,"DejaVu Sans",sans-serif'
_TITLE_SIZE = 13
_PAD = 10
_CELL = 15
_CELL_HEIGHT = 21
_CELL_SIZE = 13
_GAP = 2
_NARROWEST = 60
_LIST_PAD = 4


class _Metrics(NamedTuple):
    """Positions, in pixels.

    pad, rim  horizontal and vertical padding of the block
    head      height of the heading, with its baseline at `base` and its font `size`
    row       height of a line
    above     gap between heading and digits
    below     gap between digits and lines
    """

    pad: int
    rim: int
    head: int
    base: int
    size: int
    row: int
    above: int
    below: int


_LIKE_TEXT = _Metrics(pad=0, rim=0, head=22, base=15, size=SIZE, row=20, above=3, below=3)
_BOXED_TEXT = _LIKE_TEXT._replace(pad=8, rim=5)
_BOX = _Metrics(pad=_PAD, rim=0, head=32, base=20, size=SIZE, row=24, above=9, below=5)
_TITLED = _BOX._replace(head=34, base=20, size=_TITLE_SIZE)


def _metrics(looks: Looks, theme: Theme) -> _Metrics:
    if looks.spread:
        return _TITLED if looks.title else _BOX
    return _LIKE_TEXT if looks.bare(theme) else _BOXED_TEXT


_DIGITS = (
    ".w{stroke:#fff}"
    f".{Odometer.PLAIN} .d{{fill:none;stroke:none}}"
    f".{Odometer.LED} .d{{fill:#160404;stroke:#000}}"
    f".{Odometer.LED} .c{{fill:#ff4b3e;font-family:monospace}}"
    f".{Odometer.CLASSIC} .d{{fill:#222;stroke:#000;rx:0}}"
    f".{Odometer.CLASSIC} .c{{font-family:Georgia,serif}}"
)
"""Placed after the colours of the preset, which these rules override."""


def svg(block: Block) -> str:
    """Return the image."""
    look = block.look
    looks = painted(look.preset, look.colours)
    at = _metrics(looks, look.theme)
    left = at.pad + looks.bar
    inner = max(_widths(block, looks, at), default=0) or _NARROWEST
    across = ceil(inner) + left + at.pad
    parts: list[str] = []
    y = at.rim
    if block.heading.strip():
        parts += _heading(block.heading, looks, at, across)
        y += at.head
    if block.digits:
        y += at.above
        parts.append(f'<g class="{look.odometer}">')
        parts += _digits(block.digits, left, y, across - left - at.pad, looks)
        parts.append("</g>")
        y += _CELL_HEIGHT + at.below
    edge = _LIST_PAD if looks.spread and look.layout is not Layout.TABLE else 0
    y += edge
    if block.lines:
        place = Place(y, at.row, left, across - at.pad, *_behind(looks, at, across, y))
        lines = badge_lines.drawn(block, looks, place)
        parts += lines.parts
        y = lines.foot
    high = max(y + edge + at.rim, 1)
    described = escape(". ".join(block.sentences()))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{high}"'
        f' viewBox="0 0 {across} {high}" lang="{look.lang}" role="img"'
        f' aria-labelledby="luot-name luot-numbers" xml:space="preserve">'
        f'<title id="luot-name">{escape(block.name)}</title>'
        f'<desc id="luot-numbers">{described}</desc>'
        f"<style>{_style(look.preset, look.theme, look.colours)}</style>"
        f"{_frame(looks, across, high)}{''.join(parts)}</svg>"
    )


def policy(look: Look) -> str:
    """Return the Content-Security-Policy for an image that is opened directly."""
    return _policy(look.preset, look.theme, look.colours)


@lru_cache
def _policy(preset: Preset, theme: Theme, colours: Colours) -> str:
    style = csp.of_text(_style(preset, theme, colours))
    return f"default-src 'none'; style-src {style}; frame-ancestors *"


def _behind(
    looks: Looks, at: _Metrics, across: int, top: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the left and right edges of a table's background, and the radii of its corners."""
    if not looks.spread:
        return (at.pad, across - at.pad), (0, 0)
    edge = int(looks.frame)
    inside = max(looks.radius - 1, 0) * looks.frame
    return (looks.bar or edge, across - edge), (inside * (top <= inside), inside)


def _widths(block: Block, looks: Looks, at: _Metrics) -> Iterator[float]:
    if block.heading.strip():
        yield width(block.heading, at.size, bold=True) + looks.head_bar
    if block.digits:
        yield len(block.digits) * (_CELL + _GAP) - _GAP
    if block.lines:
        yield from badge_lines.widths(block, looks)


def _heading(heading: str, looks: Looks, at: _Metrics, across: int) -> Iterator[str]:
    left = at.pad + looks.bar + looks.head_bar
    edge = int(looks.frame)
    foot = at.rim + at.head
    if looks.light.head != looks.light.back:
        yield _top("h", looks, edge, across - edge, foot)
    if looks.head_bar:
        yield _top("a", looks, edge, edge + looks.head_bar, foot, corners=1)
    if looks.title:
        yield f'<path class="t" d="M{left} {foot - 1}H{across - at.pad}"/>'
    elif looks.spread:
        yield f'<path class="e" d="M{looks.bar or edge} {foot - 1}.5H{across - edge}"/>'
    yield (
        f'<text class="o" x="{left}" y="{at.rim + at.base}"'
        f"{fitted(width(heading, at.size, bold=True))}>{escape(heading)}</text>"
    )


def _top(kind: str, looks: Looks, left: int, right: int, foot: int, *, corners: int = 2) -> str:
    """Return a fill for the top of the block that follows the rounded corners of its frame."""
    edge, round_ = int(looks.frame), max(looks.radius - 1, 0)
    arc = f"a{round_} {round_} 0 0 1 {round_}"
    end = f"H{right - round_}{arc} {round_}V{foot}" if corners > 1 else f"H{right}V{foot}"
    return f'<path class="{kind}" d="M{left} {foot}V{edge + round_}{arc} -{round_}{end}z"/>'


def _digits(digits: str, left: int, y: int, room: int, looks: Looks) -> Iterator[str]:
    step = _CELL + _GAP
    start = left + (room - len(digits) * step + _GAP) // 2 if looks.spread else left
    # Inset by half a pixel, so that the stroke covers exactly one pixel.
    cells = "".join(
        f'<rect class="d" x="{start + place * step}.5" y="{y}.5" width="{_CELL - 1}"'
        f' height="{_CELL_HEIGHT - 1}" rx="2.5"/>'
        for place in range(len(digits))
    )
    middles = " ".join(str(start + place * step + _CELL / 2) for place in range(len(digits)))
    yield f'{cells}<text class="c" x="{middles}" y="{y + 15}">{digits}</text>'


def _frame(looks: Looks, across: int, high: int) -> str:
    if not looks.frame:
        return f'<rect class="b" width="{across}" height="{high}"/>'
    bar = f'<rect class="a" width="{looks.bar}" height="{high}"/>' if looks.bar else ""
    return (
        f'<rect class="b e" x=".5" y=".5" width="{across - 1}" height="{high - 1}"'
        f' rx="{looks.radius}"/>{bar}'
    )


@lru_cache
def _style(preset: Preset, theme: Theme, colours: Colours) -> str:
    looks = painted(preset, colours)
    size = _metrics(looks, theme).size
    dots = ".r{stroke-dasharray:1 2}" if looks.rule == "dotted" else ""

    def rules(palette: Palette) -> str:
        return (
            f"text{{fill:{palette.text}}}.b{{fill:{palette.back}}}.e,.r,.l,.k{{stroke:{palette.line}}}"
            f".h{{fill:{palette.head}}}.o{{fill:{palette.on_head}}}.t{{stroke:{palette.on_head}}}"
            f".n,.a,.plain .c{{fill:{palette.accent}}}.d{{stroke:{looks.edge(palette)}}}"
            f".i{{stroke:{palette.accent}}}.s{{fill:{palette.text}}}"
        )

    return (
        f"text{{font:{SIZE}px {_FONT};font-variant-numeric:tabular-nums}}"
        f".o{{font-size:{size}px}}.o,.n,.c{{font-weight:700}}.t{{stroke-width:2px}}"
        f".c{{font-size:{_CELL_SIZE}px;text-anchor:middle}}.d{{fill:{looks.digit}}}{dots}"
        f".c{{fill:#fff}}.q{{fill:{looks.digit}}}{badge_lines.STYLE}"
        f"{themed(theme, looks, rules)}{_DIGITS}"
    )
