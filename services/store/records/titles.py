"""Titles of pages, by the path under which a page is counted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from services.store.interface import Store

BY_HAND = 1 << 60
"""Added to the version of what people write: it wins over all that was read from a portal."""


class PageTitle(NamedTuple):
    """A page named by a sitemap or a person; the newest version of it counts.

    site      the name that the site is kept under
    version   the time in ms, with BY_HAND if a person wrote it
    gone      whether its title was removed
    title     '' while unknown
    url       where it is read, '' if a person named the page
    read_at   when it was last read, in ms since 1970; 0 for never
    etag, modified  HTTP validators of that version of the page
    """

    site: str
    path: str
    version: int
    gone: int = 0
    title: str = ""
    by_hand: int = 0
    url: str = ""
    read_at: int = 0
    etag: str = ""
    modified: str = ""


_STATEMENT_BYTES = 60_000
"""Limit for paths in a statement; ClickHouse takes 256 KiB, and escapes double the length."""

_COLUMNS = """
site, path, max(version), argMax(gone, version), argMax(title, version) AS named,
    argMax(by_hand, version), argMax(url, version), argMax(read_at, version),
    argMax(etag, version), argMax(modified, version)
"""

_ALL = f"""
SELECT {_COLUMNS}
FROM titles
WHERE site = %(site)s
GROUP BY site, path
LIMIT %(limit)s
"""  # noqa: S608

_ONE = f"""
SELECT {_COLUMNS}
FROM titles
WHERE site = %(site)s AND path IN %(paths)s
GROUP BY site, path
"""  # noqa: S608

_LISTED = f"""
SELECT {_COLUMNS}
FROM titles
WHERE site = %(site)s
GROUP BY site, path
HAVING named != '' AND argMax(gone, version) = 0{{found}}
ORDER BY path
LIMIT %(skip)s, %(limit)s
"""  # noqa: S608
_FOUND = " AND (match(path, %(search)s) OR match(named, %(search)s))"

_OF_PATHS = """
SELECT site, path, argMax(title, version) AS named
FROM titles
WHERE site IN %(sites)s AND path IN %(paths)s
GROUP BY site, path
HAVING named != '' AND argMax(gone, version) = 0
"""

_MATCHING = """
SELECT path
FROM titles
WHERE site IN %(sites_of_titles)s
GROUP BY site, path
HAVING argMax(gone, version) = 0 AND argMax(title, version) != ''
    AND match(argMax(title, version), %(search)s)
"""

_COUNTS = """
SELECT count(), countIf(named != '' AND is_gone = 0), countIf(named = '' AND is_gone = 0)
FROM (
    SELECT path, argMax(title, version) AS named, argMax(gone, version) AS is_gone
    FROM titles
    WHERE site = %(site)s
    GROUP BY path
)
"""


class TitleCounts(NamedTuple):
    """How many pages of a site are named.

    pages    all, including those whose title was removed
    titles   those with a title
    waiting  those whose title is not known yet
    """

    pages: int
    titles: int
    waiting: int


async def load(store: Store, site: str, limit: int) -> list[PageTitle]:
    """Return every named page of a site, unordered. Raises StoreError."""
    rows = await store.execute(_ALL, {"site": site, "limit": limit})
    return [PageTitle(*row) for row in rows]


async def some(store: Store, site: str, paths: Sequence[str]) -> dict[str, PageTitle]:
    """Return what is known of some pages, including those that are gone. Raises StoreError."""
    rows: list[Any] = []
    for some_paths in _in_pieces(paths):
        rows += await store.execute(_ONE, {"site": site, "paths": some_paths})
    return {row[1]: PageTitle(*row) for row in rows}


async def listed(store: Store, site: str, pattern: str, skip: int, limit: int) -> list[PageTitle]:
    """Return the pages with a title, by path. Raises StoreError.

    pattern  a regular expression (RE2) that path or title match; '' for any
    """
    parameters: dict[str, Any] = {"site": site, "skip": skip, "limit": limit}
    if pattern:
        parameters["search"] = pattern
    statement = _LISTED.format(found=_FOUND if pattern else "")
    return [PageTitle(*row) for row in await store.execute(statement, parameters)]


async def of_paths(store: Store, sites: Sequence[str], paths: Sequence[str]) -> dict[str, str]:
    """Return the titles of pages; of several sites the first wins. Raises StoreError."""
    known = await by_name(store, sites, paths)
    return {path: title for path in paths if (title := first_of(known, sites, path))}


async def by_name(
    store: Store, sites: Sequence[str], paths: Sequence[str]
) -> dict[tuple[str, str], str]:
    """Return the titles of pages, by the name of the site and the path. Raises StoreError.

    sites  names that sites are kept under
    """
    rows: list[Any] = []
    for some_paths in _in_pieces(paths):
        rows += await store.execute(_OF_PATHS, {"sites": list(sites), "paths": some_paths})
    return {(site, path): title for site, path, title in rows}


def first_of(known: Mapping[tuple[str, str], str], sites: Sequence[str], path: str) -> str:
    """Return the title of a page from the first of several sites that has one; '' for none."""
    return next((known[site, path] for site in sites if (site, path) in known), "")


def matching(sites: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the statement for the paths whose title matches the parameter `search`."""
    return _MATCHING, {"sites_of_titles": list(sites)}


async def counts(store: Store, site: str) -> TitleCounts:
    """Return how many pages of a site are named. Raises StoreError."""
    return TitleCounts(*(await store.execute(_COUNTS, {"site": site}))[0])


async def save(store: Store, titles: Sequence[PageTitle]) -> None:
    """Write titles. Raises StoreError."""
    if titles:
        columns = {name: [getattr(one, name) for one in titles] for name in PageTitle._fields}
        await store.insert("titles", columns)


def _in_pieces(paths: Sequence[str]) -> Iterator[list[str]]:
    piece: list[str] = []
    length = 0
    for path in paths:
        size = len(path.encode()) + 4
        if piece and length + size > _STATEMENT_BYTES:
            yield piece
            piece, length = [], 0
        piece.append(path)
        length += size
    if piece:
        yield piece
