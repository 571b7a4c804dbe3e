"""The panel beside each page, which shows the very lines that embed the counter on it."""

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from services.standalone.demo.portals import Portal

_PIECE = re.compile(r"<!-- luot: (?P<title>.*?) -->\n(?P<text>.*?)\n<!-- /luot -->", re.DOTALL)
_MARK = re.compile(r"<!-- (?:luot: .*?|/luot) -->\n?")
_ADDRESS = 'src="/'


class Piece(NamedTuple):
    """Some lines of a page that belong to Luot, and where they stand."""

    title: str
    text: str


def pieces(source: str) -> list[Piece]:
    """Return what is marked in the source of a page, each piece once."""
    found = (Piece(match["title"], match["text"]) for match in _PIECE.finditer(source))
    return list(dict.fromkeys(found))


def unmarked(source: str) -> str:
    """Return the source of a page without the marks."""
    return _MARK.sub("", source)


def html(portal: Portal, shown: Sequence[Piece], origin: str) -> str:
    """Return what stands in the panel; the lines have whole addresses, to be copied."""
    told = [*shown]
    whole = f'src="{origin}/'
    if portal.setting:
        told.append(Piece("Cài đặt của site, một lần", portal.setting))
    blocks = "\n".join(
        f'<h3>{escape(piece.title)}</h3>\n<pre class="luot-code"><code>'
        f"{escape(piece.text.replace(_ADDRESS, whole))}</code></pre>"
        for piece in told
    )
    return (
        f'<p>{escape(portal.way)}</p>\n<p lang="en">{escape(portal.in_short)}</p>\n{blocks}\n'
        '<p class="luot-hint">Bấm vào một khung là chọn cả khung.'
        f"{' <code>data-local</code> chỉ cần trên máy của bạn.' if _local(shown) else ''}</p>\n"
        f"<h3>Chính sách nội dung (CSP) của cổng này</h3>\n"
        f'<pre class="luot-code"><code>{escape(portal.policy)}</code></pre>\n'
        f'<p class="luot-links"><a href="/api/counter/{portal.site}">JSON</a>'
        f' <a href="/counter/{portal.site}.svg">Ảnh</a>'
        f' <a href="/counter/{portal.site}.html">Khung</a>'
        f' <a href="/counter/{portal.site}.txt">Chữ</a></p>'
    )


def _local(shown: Sequence[Piece]) -> bool:
    return any("data-local" in piece.text for piece in shown)
