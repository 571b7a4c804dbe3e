"""The block as an SVG image, its text as text."""

from collections.abc import Iterator
from functools import lru_cache
from html import escape
from math import ceil

from services.api import csp
from services.api.embed.block import Block
from services.api.embed.looks import PRESETS, Looks, Palette, themed
from services.api.textwidth import width
from services.model.display import Preset, Theme, line_text

MEDIA_TYPE = "image/svg+xml"

_FONT = 'Verdana,"DejaVu Sans",sans-serif'
_SIZE = 12
_HEADING_SIZE = 13
_PAD = 10
_HEAD = 32
_ROW = 22
_CELL = 15
_CELL_HEIGHT = 22
_GAP = 2
_DIGITS = _CELL_HEIGHT + 14
_BETWEEN = 16
_NARROWEST = 60


def svg(block: Block) -> str:
    """Return the image."""
    look = block.look
    looks = PRESETS[look.preset]
    left = _PAD + looks.bar
    inner = max(_NARROWEST, *_widths(block, looks))
    across = ceil(inner) + left + _PAD
    parts: list[str] = []
    y = 0
    if block.heading.strip():
        parts += _heading(block.heading, looks, left, across)
        y = _HEAD
    if block.digits:
        parts += _digits(block.digits, left, y + 8, across - left - _PAD, looks)
        y += _DIGITS
    y += 4
    for place, (label, number) in enumerate(block.lines):
        if place and looks.rule != "none":
            parts.append(f'<path class="r" d="M{left} {y}.5H{across - _PAD}"/>')
        parts.append(_line(label, number, looks, left, y, across))
        y += _ROW
    high = y + 4
    described = escape(". ".join(block.sentences()))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{high}"'
        f' viewBox="0 0 {across} {high}" lang="{look.lang}" role="img"'
        f' aria-labelledby="luot-name luot-numbers" xml:space="preserve">'
        f'<title id="luot-name">{escape(block.name)}</title>'
        f'<desc id="luot-numbers">{described}</desc>'
        f"<style>{_style(look.preset, look.theme)}</style>"
        f"{_frame(looks, across, high)}{''.join(parts)}</svg>"
    )


@lru_cache
def policy(preset: Preset, theme: Theme) -> str:
    """Return the Content-Security-Policy of an image that is opened by itself."""
    style = csp.of_text(_style(preset, theme))
    return f"default-src 'none'; style-src {style}; frame-ancestors *"


def _widths(block: Block, looks: Looks) -> Iterator[float]:
    yield width(block.heading, _HEADING_SIZE, bold=True)
    yield len(block.digits) * (_CELL + _GAP)
    for label, number in block.lines:
        gap = _BETWEEN if looks.spread else 0
        yield _label_width(label) + gap + width(number, _SIZE, bold=True)


def _label_width(label: str) -> float:
    return width(line_text(label, ""), _SIZE)


def _heading(heading: str, looks: Looks, left: int, across: int) -> Iterator[str]:
    if looks.light.head != looks.light.back:
        edge = 1 if looks.frame else 0
        size = f'x="{edge}" width="{across - 2 * edge}"'
        yield f'<rect class="h" {size} y="{edge}" height="{_HEAD - edge}" rx="{looks.radius}"/>'
        if looks.radius:  # only the upper corners are round
            below = _HEAD - looks.radius
            yield f'<rect class="h" {size} y="{below}" height="{looks.radius}"/>'
    if looks.frame or looks.rule != "none":
        yield f'<path class="e" d="M{looks.bar} {_HEAD}.5H{across}"/>'
    yield (
        f'<text class="o" x="{left}" y="21"{_length(width(heading, _HEADING_SIZE, bold=True))}>'
        f"{escape(heading)}</text>"
    )


def _digits(digits: str, left: int, y: int, room: int, looks: Looks) -> Iterator[str]:
    step = _CELL + _GAP
    start = left + (room - len(digits) * step + _GAP) // 2 if looks.spread else left
    cells = "".join(
        f'<rect class="d" x="{start + place * step}" y="{y}" width="{_CELL}"'
        f' height="{_CELL_HEIGHT}" rx="3"/>'
        for place in range(len(digits))
    )
    middles = " ".join(str(start + place * step + _CELL / 2) for place in range(len(digits)))
    yield f'{cells}<text class="c" x="{middles}" y="{y + 16}">{digits}</text>'


def _line(label: str, number: str, looks: Looks, left: int, y: int, across: int) -> str:
    base = y + 15
    words = escape(line_text(label, ""))
    label_width = _label_width(label)
    number_width = width(number, _SIZE, bold=True)
    x = across - _PAD - number_width if looks.spread else left + label_width
    return (
        f'<text x="{left}" y="{base}"><tspan{_length(label_width)}>{words}</tspan>'
        f'<tspan class="n" x="{x:.2f}"{_length(number_width)}>{number}</tspan></text>'
    )


def _length(pixels: float) -> str:
    """Say how wide text is, so that it fits with any font."""
    return f' textLength="{pixels:.2f}" lengthAdjust="spacingAndGlyphs"'


def _frame(looks: Looks, across: int, high: int) -> str:
    if not looks.frame:
        return f'<rect class="b" width="{across}" height="{high}"/>'
    bar = f'<rect class="a" width="{looks.bar}" height="{high}"/>' if looks.bar else ""
    return (
        f'<rect class="b e" x=".5" y=".5" width="{across - 1}" height="{high - 1}"'
        f' rx="{looks.radius}"/>{bar}'
    )


@lru_cache
def _style(preset: Preset, theme: Theme) -> str:
    looks = PRESETS[preset]
    dots = ".r{stroke-dasharray:1 2}" if looks.rule == "dotted" else ""

    def rules(palette: Palette) -> str:
        return (
            f"text{{fill:{palette.text}}}.b{{fill:{palette.back}}}.e,.r{{stroke:{palette.line}}}"
            f".h{{fill:{palette.head}}}.o{{fill:{palette.on_head}}}"
            f".n,.a{{fill:{palette.accent}}}"
        )

    return (
        f"text{{font:{_SIZE}px {_FONT};font-variant-numeric:tabular-nums}}"
        f".o{{font-size:{_HEADING_SIZE}px}}.o,.n,.c{{font-weight:700}}"
        f".c{{font-size:14px;text-anchor:middle}}.d{{fill:{looks.digit}}}{dots}"
        f"{themed(theme, looks, rules)}.c{{fill:#fff}}"
    )
