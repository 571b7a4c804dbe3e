"""The title of a page, from the beginning of its HTML."""

import re
from html.parser import HTMLParser

from services.model.paths import clean

MAX_BYTES = 128 * 1024
"""How much of a page is looked at; the title is near its beginning."""
MAX_TITLE = 300
"""Characters that are kept."""

_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060"))
"""Invisible characters that `clean` leaves: where a line may be broken."""
_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset=["']?\s*([\w-]{1,40})""", re.IGNORECASE)
_IN_HEADER = re.compile(r"""charset=["']?\s*([\w-]{1,40})""", re.IGNORECASE)
_COMMENT = re.compile(r"<!--(?:-?>|.*?--!?>)", re.DOTALL)
"""A comment as browsers read it: `<!-->` is one."""
_KNOWN = {
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
    "windows-1252": "cp1252",
    "windows-1258": "cp1258",
    "utf-16": "utf-16",
}
"""The charsets that pages may declare; everything else is read as UTF-8, as nearly all is."""


def title_of(page: bytes, content_type: str) -> str:
    """Return the title of a page: og:title, or else the content of <title>; '' for none."""
    parser = _Titles()
    # Fed at once and never closed: so the time depends only on the length, whatever is in it.
    parser.feed(_decoded(page[:MAX_BYTES], content_type))
    return tidy(parser.shared) or tidy(parser.title if parser.is_closed else "")


def tidy(title: str) -> str:
    """Return a title on one line, without invisible characters, of 300 characters at most."""
    line = " ".join(clean(" ".join(title.translate(_UNSEEN).split())).split())
    return line if len(line) <= MAX_TITLE else f"{line[: MAX_TITLE - 1].rstrip()}…"


class _Titles(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.shared = ""
        self._is_in_title = False
        self._has_title = False
        self.is_closed = False

    def parse_comment(self, i: int, report: bool = True) -> int:
        """Return where a comment ends, -1 if it does not; the library looks past `<!-->`."""
        found = _COMMENT.match(self.rawdata, i)
        return -1 if found is None else found.end()

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Return where `<![…` ends: at the next `>`, as in browsers; the library may raise."""
        return self.rawdata.find(">", i) + 1 or -1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self._has_title:
            self._is_in_title = True
        elif tag == "meta" and not self.shared:
            of = {name: value or "" for name, value in attrs}
            if "og:title" in (of.get("property"), of.get("name")):
                self.shared = of.get("content", "")
        elif tag in ("body", "svg"):
            # The title of an image in the page is not the title of the page.
            self._has_title = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "title" and self._is_in_title:
            self._is_in_title = False
            self._has_title = self.is_closed = True

    def handle_data(self, data: str) -> None:
        if self._is_in_title and len(self.title) < 10 * MAX_TITLE:
            self.title += data[: 10 * MAX_TITLE]


def _decoded(page: bytes, content_type: str) -> str:
    if page.startswith((b"\xff\xfe", b"\xfe\xff")):
        return page.decode("utf-16", "replace")
    said = _IN_HEADER.search(content_type)
    if said is None:
        in_page = _CHARSET.search(page[:4096])
        name = in_page[1].decode("ascii", "replace") if in_page else ""
    else:
        name = said[1]
    return page.decode(_KNOWN.get(name.lower(), "utf-8-sig"), "replace")
