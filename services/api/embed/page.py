"""The block as a page for an iframe: no script, nothing from elsewhere."""

from functools import lru_cache
from html import escape

from services.api import csp
from services.api.embed.block import Block
from services.api.embed.looks import PRESETS, Palette, themed
from services.model.display import Preset, Theme, line_text

MEDIA_TYPE = "text/html; charset=utf-8"


def html(block: Block) -> str:
    """Return the page."""
    look = block.look
    heading = f"<h1>{escape(block.heading)}</h1>" if block.heading.strip() else ""
    lines = "".join(
        f"<li><span>{escape(line_text(label, ''))}</span><b>{number}</b></li>"
        for label, number in block.lines
    )
    return (
        f'<!doctype html><html lang="{look.lang}"><head><meta charset="utf-8">'
        f"<title>{escape(block.name)}</title>"
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="robots" content="noindex">'
        f"<style>{_style(look.preset, look.theme)}</style></head>"
        f'<body><main aria-label="{escape(block.name)}">{heading}{_digits(block)}'
        f"{f'<ul>{lines}</ul>' if lines else ''}</main></body></html>"
    )


@lru_cache
def policy(preset: Preset, theme: Theme) -> str:
    """Return the Content-Security-Policy: its own style and nothing else, in any portal's frame."""
    style = csp.of_text(_style(preset, theme))
    return (
        f"default-src 'none'; style-src {style}; base-uri 'none'; form-action 'none';"
        " frame-ancestors *"
    )


def _digits(block: Block) -> str:
    """Return the digits each in its cell, read as one number."""
    if not block.digits:
        return ""
    name = escape(block.total())
    cells = "".join(f"<i>{digit}</i>" for digit in block.digits)
    return f'<p role="img" aria-label="{name}">{cells}</p>'


@lru_cache
def _style(preset: Preset, theme: Theme) -> str:
    looks = PRESETS[preset]

    def rules(palette: Palette) -> str:
        border = f"border:1px solid {palette.line};" if looks.frame else ""
        bar = f"border-left:{looks.bar}px solid {palette.accent};" if looks.bar else ""
        rule = f"border-top:1px {looks.rule} {palette.line}" if looks.rule != "none" else ""
        under = f"border-bottom:1px solid {palette.line}" if looks.spread else ""
        return (
            f"html{{background:{palette.back}}}main{{{border}{bar}color:{palette.text}}}"
            f"h1{{background:{palette.head};color:{palette.on_head};{under}}}"
            f"li+li{{{rule}}}b{{color:{palette.accent}}}"
        )

    scheme = "light dark" if theme is Theme.AUTO else theme.value
    spread = "li{display:flex;flex-wrap:wrap;justify-content:space-between}" if looks.spread else ""
    return (
        f":root{{color-scheme:{scheme}}}*{{box-sizing:border-box;margin:0;padding:0}}"
        "main{font:14px/1.5 system-ui,Arial,sans-serif;font-variant-numeric:tabular-nums;"
        f"overflow:hidden;overflow-wrap:anywhere;border-radius:{looks.radius}px}}"
        "h1{font-size:1em;padding:.5em .75em}ul{list-style:none;padding:.25em .75em}"
        "li{padding:.2em 0}span{white-space:pre-wrap}"
        f"{spread}p{{display:flex;justify-content:{'center' if looks.spread else 'start'};"
        "gap:1px;padding:.6em .75em .3em}"
        "i{flex:0 1 1.15em;min-width:.62em;border-radius:3px;font-style:normal;"
        f"font-weight:700;text-align:center;color:#fff;background:{looks.digit}}}"
        f"{themed(theme, looks, rules)}"
        "@media print{html,main,h1{background:none}main,h1,b{color:#000}"
        "i{background:none;color:#000;border:1px solid #999}}"
    )
