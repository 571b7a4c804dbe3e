"""Annotations: notes that people attach to the days of a site."""

from typing import NamedTuple

from services.store.interface import Store


class Annotation(NamedTuple):
    """A text on a day; the newest version of it counts.

    site     the name that the site is kept under
    version  the time in ms is a good one
    day      days since 1970-01-01
    author   who wrote it, and `at` when, in ms since 1970
    """

    site: str
    id: str
    version: int
    deleted: int
    day: int
    text: str
    author: str
    at: int


_KEPT = """
SELECT site, id, max(version), argMax(deleted, version) AS gone,
    toUInt32(argMax(day, version)) AS on, argMax(text, version), argMax(author, version),
    argMax(at, version) AS written
FROM annotations
WHERE site = %(site)s
GROUP BY site, id
HAVING gone = 0 AND on >= %(first)s AND on <= %(last)s
ORDER BY on, written, id
LIMIT %(limit)s
"""


async def load(store: Store, site: str, first: int, last: int, limit: int) -> list[Annotation]:
    """Return the annotations of a site from one day to another, by day. Raises StoreError."""
    parameters = {"site": site, "first": first, "last": last, "limit": limit}
    return [Annotation(*row) for row in await store.execute(_KEPT, parameters)]


async def save(store: Store, annotation: Annotation) -> None:
    """Write an annotation, or its deletion. Raises StoreError."""
    await store.insert(
        "annotations", {name: [value] for name, value in annotation._asdict().items()}
    )
