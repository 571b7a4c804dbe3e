"""Renders the block as a page for an iframe, without scripts or external resources."""

from functools import lru_cache
from html import escape

from services.http import csp
from services.model.colours import Colours
from services.model.display import Icons, Layout, Look, Preset, Theme, line_text
from services.widget.block import Block
from services.widget.icons import ICONS, SIDE
from services.widget.looks import Looks, Palette, painted, themed

MEDIA_TYPE = "text/html; charset=utf-8"

# Rules for icons and layouts and, after the colours of the preset, for styles of digits.
_ARRANGED = (
    "svg{flex:none;width:1.1em;height:1.1em;margin-right:.5em;vertical-align:-.18em;fill:none;"
    "stroke-width:2;stroke-linecap:round;stroke-linejoin:round}"
    ".gap{margin-top:.7em}"
    ".icons-tile svg{width:1.5em;height:1.5em;padding:.2em;border-radius:.3em}"
    ".layout-table ul{padding:0}.layout-table li{padding:.4em .8em}"
    ".layout-table li{display:flex;flex-wrap:wrap;justify-content:space-between}"
    ".layout-table li+li{border-top:0}"
    ".layout-table li:nth-child(odd){background:color-mix(in srgb,currentcolor 5%,transparent)}"
    ".layout-card ul{display:flex;flex-wrap:wrap;gap:.5em;padding:.7em .8em}"
    ".layout-card li{display:block;flex:1 1 9em;padding:.5em .4em;text-align:center}"
    ".layout-card .gap{margin:0}"
    ".layout-card .break{flex-basis:100%;margin-bottom:-.5em;padding:0;border:0!important}"
    ".layout-card span{font-size:.85em}.layout-card b{display:block;font-size:1.25em}"
    ".layout-inline ul{padding:.35em .8em}"
    ".layout-inline li{display:inline;padding:0;border:0!important}.layout-inline b{margin:0}"
    '.layout-inline li+li:before{content:" | ";margin:0 .35em;opacity:.6}'
)
_DIGITS = (
    ".icons-tile svg{stroke:#fff}.odometer-plain i{border-color:transparent;background:none}"
    ".odometer-led i{border-color:#000;background:#160404;color:#ff4b3e;"
    'font-family:ui-monospace,Consolas,"DejaVu Sans Mono",monospace}'
    ".odometer-classic i{border-color:#000;border-radius:0;"
    "background:linear-gradient(#000,#444 45%,#1c1c1c 55%,#000);"
    'font-family:Georgia,"DejaVu Serif",serif}'
)

# This many digits of full size fit into 200 pixels.
_MANY = 15


def html(block: Block) -> str:
    """Return the page."""
    look = block.look
    # Screen readers find a page by its heading, even if none is visible.
    heading = (
        f"<h1>{escape(block.heading)}</h1>"
        if block.heading.strip()
        else f'<h1 class="unseen">{escape(block.name)}</h1>'
    )
    lines = "".join(
        f"{_gap(block, place)}>{_icon(block, place)}<span>{escape(line_text(label, ''))}</span>"
        f"<b>{escape(number)}</b></li>"
        for place, (label, number) in enumerate(block.lines)
    )
    kind = f"icons-{look.icons} layout-{look.layout} odometer-{look.odometer}"
    return (
        f'<!doctype html><html lang="{look.lang}"><head><meta charset="utf-8">'
        f"<title>{escape(block.name)}</title>"
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="robots" content="noindex">'
        f"<style>{_style(look.preset, look.theme, look.colours)}</style></head>"
        f'<body><main class="{kind}" aria-label="{escape(block.name)}">{heading}{_digits(block)}'
        f"{f'<ul>{lines}</ul>' if lines else ''}</main></body></html>"
    )


def policy(look: Look) -> str:
    """Return the Content-Security-Policy: its own style and nothing else, in any portal's frame."""
    return _policy(look.preset, look.theme, look.colours)


@lru_cache
def _policy(preset: Preset, theme: Theme, colours: Colours) -> str:
    style = csp.of_text(_style(preset, theme, colours))
    return (
        f"default-src 'none'; style-src {style}; base-uri 'none'; form-action 'none';"
        " frame-ancestors *"
    )


def _gap(block: Block, place: int) -> str:
    """Return the beginning of a line, with what separates it from those above."""
    if not (place and place == block.gap):
        return "<li"
    ends = '<li class="break" aria-hidden="true"></li>'
    return f'{ends * (block.look.layout is Layout.CARD)}<li class="gap"'


def _icon(block: Block, place: int) -> str:
    """Return the icon of a line; it is decorative, since the label says the same."""
    if block.look.icons is Icons.NONE or not block.kinds:
        return ""
    path = ICONS[block.kinds[place]]
    return f'<svg viewBox="0 0 {SIDE} {SIDE}" aria-hidden="true"><path d="{path}"/></svg>'


def _digits(block: Block) -> str:
    """Return the digits, each in a cell, with the number as their accessible name."""
    if not block.digits:
        return ""
    name = escape(block.total())
    cells = "".join(f"<i>{digit}</i>" for digit in block.digits)
    many = ' class="many"' if len(block.digits) > _MANY else ""
    return f'<p{many} role="img" aria-label="{name}">{cells}</p>'


@lru_cache
def _style(preset: Preset, theme: Theme, colours: Colours) -> str:
    looks = painted(preset, colours)

    def rules(palette: Palette) -> str:
        border = f"border:1px solid {palette.line};" if looks.frame else ""
        bar = f"border-left:{looks.bar}px solid {palette.accent};" if looks.bar else ""
        rule = f"li+li{{border-top:1px {looks.rule} {palette.line}}}" if looks.spread else ""
        under = f";border-bottom:1px solid {palette.line}" if looks.spread else ""
        if looks.title:
            under = ";border-bottom:2px solid"
        before = f";border-left:{looks.head_bar}px solid {palette.accent}" if looks.head_bar else ""
        return (
            f"main{{{border}{bar}color:{palette.text};background:{palette.back}}}"
            f"h1{{background:{palette.head};color:{palette.on_head}{under}{before}}}"
            f"{rule}b{{color:{palette.accent}}}i{{border-color:{looks.edge(palette)}}}"
            f"svg{{stroke:{palette.accent}}}.odometer-plain i{{color:{palette.accent}}}"
            f".layout-card li{{border:1px solid {palette.line};border-radius:{looks.card}px}}"
            f".layout-table li{{border-bottom:1px solid {palette.line}}}"
        )

    scheme = "light dark" if theme is Theme.AUTO else theme.value
    return (
        f":root{{color-scheme:{scheme}}}*{{box-sizing:border-box;margin:0;padding:0}}"
        "main{font:14px/1.4 system-ui,Arial,sans-serif;"
        f"font-variant-numeric:tabular-nums;overflow:hidden;overflow-wrap:anywhere;border-radius:{looks.radius}px}}"
        "h1{font-size:1em;padding:.55em .8em}ul{list-style:none;padding:.35em .8em}"
        "li{padding:.28em 0}span{white-space:pre-wrap}b{font-weight:600}"
        "p{display:flex;justify-content:center;gap:2px;padding:.7em .8em .5em}"
        "p.many{font-size:.72em}i{flex:0 1 1.2em;min-width:.62em;padding:.1em 0;"
        "border:1px solid;border-radius:3px;"
        f"font-style:normal;font-weight:700;text-align:center;color:#fff;background:{looks.digit}}}"
        f"{_shape(looks, theme)}{_ARRANGED}"
        f".icons-tile svg{{background:{looks.digit}}}{themed(theme, looks, rules)}{_DIGITS}"
        "h1.unseen{position:absolute;margin:0;padding:0;border:0;clip-path:inset(50%)}"
        # Otherwise the background of a dark page is printed as well, under black text.
        "@media print{:root{color-scheme:light}main,h1{background:none}main,h1,b{color:#000}"
        "main,h1,li+li,i{border-color:#999}i{background:none;color:#000}}"
    )


def _shape(looks: Looks, theme: Theme) -> str:
    """Return the rules that differ between presets, except colours."""
    if looks.spread:
        lines = (
            "li{display:flex;flex-wrap:wrap;justify-content:space-between;column-gap:.35em}"
            # Even if it does not fit next to its label.
            "b{margin-left:auto}"
        )
        title = "h1{margin:0 .727em;padding:.5em 0;font-size:1.1em}"
        return f"{lines}{title}" if looks.title else lines
    room = "0" if looks.bare(theme) else ".3em .6em"
    words = "h1,p,ul{padding:.2em 0}li{padding:.12em 0}p{justify-content:start}"
    return f"main{{padding:{room}}}{words}"
