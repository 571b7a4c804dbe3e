"""Links that show a site's traffic, or a report, without signing in."""

from typing import NamedTuple

from services.store.interface import Store


class ShareLink(NamedTuple):
    """A link; the newest version of it counts.

    site      the name that the site, or the group of a report, is kept under
    version   the time in ms is a good one
    digest    SHA-256 of the secret in the address, in hex; the secret itself is not stored
    author    who made it, and `at` when, in ms since 1970
    period    for a link to a report: that of `dates`, with or without `opening`; '' for a link to
              the traffic of a site
    """

    site: str
    id: str
    version: int
    withdrawn: int
    digest: str
    name: str
    author: str
    at: int
    period: str = ""
    dates: str = ""
    opening: str = ""


_VALID = """
SELECT site, id, max(version), argMax(withdrawn, version) AS gone, argMax(digest, version),
    argMax(name, version), argMax(author, version), argMax(at, version) AS made,
    argMax(period, version), argMax(dates, version), argMax(opening, version)
FROM share_links
GROUP BY site, id
HAVING gone = 0
ORDER BY site, made, id
"""


async def load(store: Store) -> list[ShareLink]:
    """Return every link that was not withdrawn, oldest first per site. Raises StoreError."""
    return [ShareLink(*row) for row in await store.execute(_VALID)]


async def save(store: Store, link: ShareLink) -> None:
    """Write a link, or its withdrawal. Raises StoreError."""
    await store.insert("share_links", {name: [value] for name, value in link._asdict().items()})
