"""Reads a sitemap as it arrives, piece by piece: sitemaps.org's protocol, and Google News.

It is parsed by expat with document types forbidden, so that there are no entities to expand and
nothing else to load. Only what is kept of it is in memory.
"""

from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers import expat

MAX_BYTES = 50_000_000
"""Uncompressed, as in the protocol."""
MAX_ADDRESS = 2048
_MOST_OF_TITLE = 2000
_MOST_BEHIND = 1_000_000
"""The most bytes of one tag or comment; expat keeps it until it ends."""
_MOST_DEEP = 32


class SitemapError(Exception):
    """Not a sitemap; says what is wrong."""


class SitemapEntry(NamedTuple):
    """A URL that a sitemap names.

    is_sitemap  another sitemap, not a page
    title       of a news page, '' if none is given
    changed     as written, '' if not given
    """

    url: str
    is_sitemap: bool
    title: str
    changed: str


class SitemapReader:
    """Takes the pieces of a file, and yields the entries that are complete."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._path: list[str] = []
        self._texts: dict[str, str] = {}
        self._found: list[SitemapEntry] = []
        self._fed = 0

    def feed(self, piece: bytes) -> Iterator[SitemapEntry]:
        """Yield the entries that end in a piece. Raises SitemapError."""
        self._fed += len(piece)
        self._parse(piece, is_last=False)
        if self._fed - self._parser.CurrentByteIndex > _MOST_BEHIND:
            raise SitemapError(f"a tag of more than {_MOST_BEHIND} bytes")
        yield from self._taken()

    def end(self) -> Iterator[SitemapEntry]:
        """Yield what is left at the end of the file. Raises SitemapError."""
        self._parse(b"", is_last=True)
        yield from self._taken()

    def _parse(self, piece: bytes, *, is_last: bool) -> None:
        try:
            self._parser.Parse(piece, is_last)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise SitemapError(f"it is not XML: {error}") from None

    def _taken(self) -> list[SitemapEntry]:
        taken, self._found = self._found, []
        return taken

    @staticmethod
    def _refuse(*_: object) -> None:
        raise SitemapError("it has a document type; a sitemap has none")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= _MOST_DEEP:
            raise SitemapError(f"more than {_MOST_DEEP} tags in one another")
        del attributes
        space, _, local = name.rpartition(" ")
        if not self._path and local not in ("urlset", "sitemapindex"):
            raise SitemapError(f"its first tag is {local[:40]!r}; expected urlset or sitemapindex")
        self._path.append("news" if local == "news" and "/sitemap-news/" in space else local)
        if len(self._path) == 2:
            self._texts = {}

    def _text(self, text: str) -> None:
        match self._path[1:]:
            case ["url" | "sitemap", "loc" | "lastmod" as kind]:
                most = MAX_ADDRESS + 1
            case ["url", "news", "title" as kind]:
                most = _MOST_OF_TITLE
            case _:
                return
        self._texts[kind] = (self._texts.get(kind, "") + text)[:most]

    def _end(self, _: str) -> None:
        name = self._path.pop()
        if len(self._path) != 1 or name not in ("url", "sitemap"):
            return
        url = self._texts.get("loc", "").strip()
        if url and len(url) <= MAX_ADDRESS:
            title, changed = self._texts.get("title", ""), self._texts.get("lastmod", "").strip()
            self._found.append(SitemapEntry(url, name == "sitemap", title, changed))
