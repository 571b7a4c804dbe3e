"""The gallery at /demo/gallery: every preset, light and dark, at widths common on portals."""

from html import escape
from typing import NamedTuple

from services.model.display import Icons, Layout, Odometer, Preset, Theme
from services.model.wordings import Wording

PATH = "/demo/gallery"
SITE = "demo-hcm"
THEMES = (Theme.LIGHT, Theme.DARK)
WIDTHS = (120, 200, 300, 400)
_LINES = 'lines="online,today,yesterday,this_month,total"'
_NUKEVIET = f'wording="{Wording.NUKEVIET}"'
"""With guests, with bots if there are any, and with a gap after them."""
BADGES = (
    f"digits=11&amp;icons={Icons.LINE}&amp;wording={Wording.NUKEVIET}",
    f"layout={Layout.CARD}&amp;icons={Icons.LINE}&amp;lines=online,today,this_month,total",
    f"digits=11&amp;layout={Layout.TABLE}&amp;icons={Icons.TILE}&amp;unit=lượt",
)


class Column(NamedTuple):
    """One block in a row: the width of its column, and its attributes."""

    width: int
    attributes: str


ROW = (
    Column(WIDTHS[0], f'{_LINES} digits="11"'),
    Column(WIDTHS[1], f'{_NUKEVIET} digits="11" odometer="{Odometer.LED}" icons="{Icons.LINE}"'),
    Column(
        WIDTHS[2],
        f'{_LINES} digits="11" odometer="{Odometer.CLASSIC}" layout="{Layout.TABLE}" unit="lượt"',
    ),
    Column(WIDTHS[3], f'{_LINES} layout="{Layout.CARD}" icons="{Icons.LINE}"'),
    Column(WIDTHS[3], f'{_NUKEVIET} digits="11" icons="{Icons.TILE}" unit="lượt"'),
)


def html() -> str:
    """Return the page."""
    sections = "".join(_section(theme, preset) for theme in THEMES for preset in Preset)
    return (
        '<!doctype html><html lang="vi"><head><meta charset="utf-8">'
        "<title>Các kiểu của khối Thống kê truy cập</title>"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="/demo/static/gallery.css">'
        f'<script async src="/counter.js" data-site="{SITE}"></script></head><body>'
        '<header><a href="/demo">← Các cổng mẫu</a>'
        "<h1>Các kiểu của khối Thống kê truy cập</h1>"
        f"<p>{len(Preset)} kiểu, sáng và tối, từ {WIDTHS[0]} đến {WIDTHS[-1]} điểm ảnh.</p>"
        f"</header><main>{sections}</main></body></html>"
    )


def _section(theme: Theme, preset: Preset) -> str:
    blocks = "".join(
        f'<div class="w{shown.width}"><visitor-counter preset="{preset}" theme="{theme}"'
        f" {shown.attributes}></visitor-counter></div>"
        for shown in ROW
    )
    line = (
        f'<visitor-counter preset="{preset}" theme="{theme}" layout="{Layout.INLINE}"'
        f' wording="{Wording.FOOTER}" heading=""></visitor-counter>'
    )
    badges = "".join(
        f'<div class="badge"><img src="/counter/{SITE}.svg?preset={preset}&amp;theme={theme}'
        f'&amp;{options}" alt="Thống kê truy cập, bằng hình"></div>'
        for options in BADGES
    )
    return (
        f'<section class="{theme}" data-preset="{preset}"><h2>{escape(preset)}</h2>'
        f'<div class="row">{blocks}</div><div class="row">{badges}</div>'
        f'<div class="foot">{line}</div></section>'
    )
