"""The panel next to each page, which shows the actual lines that embed the counter in it."""

import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple

from services.standalone.demo.portals import Portal

_SAMPLE = re.compile(r"<!-- luot: (?P<title>.*?) -->\n(?P<text>.*?)\n<!-- /luot -->", re.DOTALL)
_MARK = re.compile(r"<!-- (?:luot: .*?|/luot) -->\n?")
_PLACE = re.compile(r"visitor-counter { display: block; min-height: [\d.]+em;?")
_ADDRESS = re.compile(r'\b(src|href)="/')
_WORD = re.compile(r"\S+")
_BREAKS = re.compile(r"[-/?]")
_SEAM = re.compile(r"(?<![/:;])/(?!/)|\?|&amp;amp;|,|&gt;(?=&lt;)")

# Characters per line of the panel.
_LINE = 40


class CodeSample(NamedTuple):
    """Lines of a page that embed Luot, and their title."""

    title: str
    text: str


def samples_in(source: str) -> list[CodeSample]:
    """Return the marked samples in the source of a page, each once."""
    samples = (CodeSample(match["title"], match["text"]) for match in _SAMPLE.finditer(source))
    return list(dict.fromkeys(samples))


def unmarked(source: str) -> str:
    """Return the source of a page without the marks."""
    return _MARK.sub("", source)


def html(portal: Portal, samples: Sequence[CodeSample], origin: str) -> str:
    """Return the content of the panel; the lines in it have full URLs, ready to copy."""
    listed = [*samples]
    if rule := _PLACE.search(_style(portal)):
        listed.append(CodeSample("Trong tệp CSS: giữ chỗ cho khối", f"{rule[0]} }}"))
    if portal.setting:
        listed.append(CodeSample("Cài đặt của site, một lần", portal.setting))
    blocks = "\n".join(
        f'<h3>{escape(sample.title)}</h3>\n<pre class="luot-code"><code>'
        f"{_folded(_whole(sample.text, origin))}</code></pre>"
        for sample in listed
    )
    return (
        f'<p>{escape(portal.way)}</p>\n<p lang="en">{escape(portal.in_short)}</p>\n{blocks}\n'
        '<p class="luot-hint">Bấm vào một khung là chọn cả khung.'
        f"{' <code>data-local</code> chỉ cần trên máy của bạn.' if _local(samples) else ''}</p>\n"
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
    return _ADDRESS.sub(lambda match: f'{match[1]}="{origin}/', text)


def _folded(text: str) -> str:
    """Return code as HTML that breaks between words, and inside words too long for one line."""

    def word(match: re.Match[str]) -> str:
        if len(match[0]) > _LINE:
            return _SEAM.sub(r"\g<0><wbr>", escape(match[0]))
        return f"<span>{escape(match[0])}</span>" if _BREAKS.search(match[0]) else escape(match[0])

    return _WORD.sub(word, text)


def _local(samples: Sequence[CodeSample]) -> bool:
    return any("data-local" in sample.text for sample in samples)
