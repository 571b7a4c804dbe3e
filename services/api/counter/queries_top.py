"""The statements behind the most read pages."""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from services.model.calendar import to_date
from services.model.hit import OTHER_PATH, UNKNOWN_PATH
from services.model.site import ANY_TEXT
from services.store import corrections
from services.store.interface import Store

# Only key columns are compared, so FINAL sees every version of a row, and reads no more than the
# requested days. What corrections take, and views that were under `(other)`,
# are read beside it, and are few.
_TOP = """
SELECT path, sum(of_day) AS of_all
FROM (
    SELECT path, toInt64(views) AS of_day
    FROM counters FINAL
    WHERE site = %(site)s AND grain = 'day' AND start >= %(first)s AND start <= %(last)s
        AND path NOT IN %(no_pages)s{shown}
    UNION ALL
    SELECT path, toInt64(views) AS of_day
    FROM returned_views FINAL
    WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s
        AND path NOT IN %(no_pages)s{shown}
    UNION ALL
    SELECT path, -any(views) AS of_day
    FROM correction_entries
    WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s
        AND path NOT IN %(no_pages)s
        AND run IN (SELECT run FROM corrections WHERE site = %(site)s)
    GROUP BY path, day, run
)
GROUP BY path
HAVING of_all > 0
ORDER BY of_all DESC, path
LIMIT %(limit)s
"""

# A hit may stand in the table twice until it is merged away.
_READERS = """
SELECT path, uniqExactIf(visitor, visitor != 0), uniqExact(position, idx)
FROM hits
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND bot = 0 AND path IN %(paths)s
    {left}
GROUP BY path
"""


class PageReaders(NamedTuple):
    """What the raw hits of a page say: its visitors, one of two days twice, and its views."""

    visitors: int
    views: int


async def top_pages(
    store: Store,
    site: str,
    days: tuple[int, int],
    limit: int,
    hidden: Sequence[str] = (),
) -> list[tuple[str, int]]:
    """Return the pages with the most views from days[0] to days[1], and the views.

    `hidden` are pages to leave out, with * at the end for all that begin so. Raises StoreError.
    """
    shown, parameters = _without(hidden)
    parameters |= {
        "site": site,
        "first": to_date(days[0]),
        "last": to_date(days[1]),
        "limit": limit,
    }
    rows = await store.execute(_TOP.format(shown=shown), parameters)
    return [(path, views) for path, views in rows]


async def readers(
    store: Store, site: str, days: tuple[int, int], paths: Collection[str]
) -> dict[str, PageReaders]:
    """Return what the raw hits of pages say, without those taken back. Raises StoreError."""
    parameters: dict[str, object] = {
        "site": site,
        "first": to_date(days[0]),
        "last": to_date(days[1]),
        "paths": sorted(paths),
    }
    left = await corrections.left(store, parameters)
    rows = await store.execute(_READERS.format(left=left), parameters)
    return {path: PageReaders(visitors, views) for path, visitors, views in rows}


def _without(hidden: Sequence[str]) -> tuple[str, dict[str, object]]:
    exact = [page for page in hidden if not page.endswith(ANY_TEXT)]
    begins = [page[:-1] for page in hidden if page.endswith(ANY_TEXT)]
    values: dict[str, object] = {"no_pages": ["", OTHER_PATH, UNKNOWN_PATH, *exact]}
    shown = ""
    for place, stem in enumerate(begins):
        values[f"stem_{place}"] = re.sub(r"([\\%_])", r"\\\1", stem) + "%"
        shown += f" AND path NOT LIKE %(stem_{place})s"
    return shown, values
