"""Which pages have a history: digests of the paths that have counters."""

from array import array

from services.model.hit import OTHER_PATH, UNKNOWN_PATH
from services.store.interface import Store

_NO_PAGES = ["", OTHER_PATH, UNKNOWN_PATH]

# An estimate: exact for few pages, and small in memory for many.
_COUNTS = """
SELECT site, toUInt64(uniqCombined(path))
FROM counters
WHERE grain = 'total' AND path NOT IN %(no_pages)s
GROUP BY site
"""

# Among pages with equal views, those viewed last.
_DIGESTS = """
SELECT halfMD5(path) AS digest
FROM (
    SELECT path, argMax(views, position) AS viewed, max(position) AS newest
    FROM counters
    WHERE site = %(site)s AND grain = 'total' AND path NOT IN %(no_pages)s
    GROUP BY path
    ORDER BY viewed DESC, newest DESC
    LIMIT %(most)s
)
ORDER BY digest
"""


async def page_counts(store: Store) -> dict[str, int]:
    """Return about how many pages with counters each site has, if it has any."""
    return dict(await store.execute(_COUNTS, {"no_pages": _NO_PAGES}))


async def most_viewed(store: Store, site: str, most: int) -> "array[int]":
    """Return the digests (`path_digest`) of a site's pages with the most views, in order."""
    rows = await store.execute(_DIGESTS, {"site": site, "no_pages": _NO_PAGES, "most": most})
    return array("Q", [digest for (digest,) in rows])
