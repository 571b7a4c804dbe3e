"""The panel beside each page, which shows the very lines that embed the counter on it."""

import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple

from services.standalone.demo.portals import Portal

_PIECE = re.compile(r"<!-- luot: (?P<title>.*?) -->\n(?P<text>.*?)\n<!-- /luot -->", re.DOTALL)
_MARK = re.compile(r"<!-- (?:luot: .*?|/luot) -->\n?")
_PLACE = re.compile(r"visitor-counter { display: block; min-height: [\d.]+em;?")
_ADDRESS = re.compile(r'\b(src|href)="/')
_WORD = re.compile(r"\S+")
_BREAKS = re.compile(r"[-/?]")
_SEAM = re.compile(r"(?<![/:;])/(?!/)|\?|&amp;amp;|,|&gt;(?=&lt;)")

# Letters on a line of the panel.
_LINE = 40


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
    if kept := _PLACE.search(_style(portal)):
        told.append(Piece("Trong tệp CSS: giữ chỗ cho khối", f"{kept[0]} }}"))
    if portal.setting:
        told.append(Piece("Cài đặt của site, một lần", portal.setting))
    blocks = "\n".join(
        f'<h3>{escape(piece.title)}</h3>\n<pre class="luot-code"><code>'
        f"{_folded(_whole(piece.text, origin))}</code></pre>"
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


def _style(portal: Portal) -> str:
    return (files(__package__) / "static" / f"{portal.name}.css").read_text("utf-8")


def _whole(text: str, origin: str) -> str:
    return _ADDRESS.sub(lambda found: f'{found[1]}="{origin}/', text)


def _folded(text: str) -> str:
    """Return code as HTML that breaks between words, and a word too long for a line at a seam."""

    def word(found: re.Match[str]) -> str:
        if len(found[0]) > _LINE:
            return _SEAM.sub(r"\g<0><wbr>", escape(found[0]))
        return f"<span>{escape(found[0])}</span>" if _BREAKS.search(found[0]) else escape(found[0])

    return _WORD.sub(word, text)


def _local(shown: Sequence[Piece]) -> bool:
    return any("data-local" in piece.text for piece in shown)
