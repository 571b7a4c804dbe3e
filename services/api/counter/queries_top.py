"""The statements behind the most read pages."""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from services.model.calendar import EPOCH, to_date
from services.model.hit import OTHER_PATH, UNKNOWN_PATH
from services.model.page_aliases import PageAlias, PageAliases
from services.model.site import ANY_TEXT
from services.store.counts import corrections
from services.store.counts.page_aliases import page_column
from services.store.interface import Store

# Only key columns are compared, so FINAL sees every version of a row, and reads no more than the
# requested days. What corrections subtract, views that were under `(other)`, and opening balances
# are read in addition, and are few. Of balances, the first entry of an id counts.
_TOP = """
SELECT {page} AS page, sum(of_day) AS of_all
FROM (
    SELECT path, toInt64(views) AS of_day
    FROM counters FINAL
    WHERE site IN %(sites)s AND {of_period} AND path NOT IN %(no_pages)s
    UNION ALL
    SELECT path, argMin(views, at) AS of_day
    FROM opening_balances
    WHERE site IN %(sites)s AND {of_period} AND path NOT IN %(no_pages)s
    GROUP BY site, path, id
    UNION ALL
    SELECT path, toInt64(views) AS of_day
    FROM returned_views FINAL
    WHERE site IN %(sites)s AND day >= %(first)s AND day <= %(last)s
        AND path NOT IN %(no_pages)s
    UNION ALL
    SELECT path, -any(views) AS of_day
    FROM correction_entries
    WHERE site IN %(sites)s AND day >= %(first)s AND day <= %(last)s
        AND path NOT IN %(no_pages)s
        AND run IN (SELECT run FROM corrections WHERE site IN %(sites)s)
    GROUP BY site, path, day, run
)
{shown}GROUP BY page
HAVING of_all > 0
ORDER BY of_all DESC, page
LIMIT %(limit)s
"""
_OF_DAYS = "grain = 'day' AND start >= %(first)s AND start <= %(last)s"
_OF_ALL_TIME = "grain = 'total' AND start = %(epoch)s"

# A hit may be in the table twice until duplicates are merged away.
_READERS = """
SELECT {page} AS page, uniqExactIf(visitor, visitor != 0), uniqExact(position, idx)
FROM hits
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND bot = 0 AND path IN %(paths)s
    {left}
GROUP BY page
"""


ALL_TIME = 0
"""The first day of the period that covers everything."""


class PageReaders(NamedTuple):
    """What the raw hits of a page say: its visitors, counted once per day, and its views."""

    visitors: int
    views: int


async def top_pages(
    store: Store,
    sites: Sequence[str],
    days: tuple[int, int],
    limit: int,
    hidden: Sequence[str] = (),
    aliases: Sequence[PageAlias] = (),
) -> list[tuple[str, int]]:
    """Return the pages with the most views from days[0] to days[1], and the views.

    The same path on several sites counts as one page. Opening balances of these days are included;
    from ALL_TIME on, those of the total instead. `hidden` are pages, as shown, to leave
    out; a trailing * matches any ending. Raises StoreError.
    """
    rows = await store.execute(*statement_of_top(sites, days, limit, hidden, aliases))
    return [(path, views) for path, views in rows]


def statement_of_top(
    sites: Sequence[str],
    days: tuple[int, int],
    limit: int,
    hidden: Sequence[str] = (),
    aliases: Sequence[PageAlias] = (),
) -> tuple[str, dict[str, object]]:
    """Return the statement of `top_pages`, and its parameters."""
    shown, parameters = _without(hidden)
    page, of_aliases = page_column(aliases)
    parameters |= of_aliases
    parameters |= {
        "sites": list(sites),
        "first": to_date(days[0]),
        "last": to_date(days[1]),
        "limit": limit,
        "epoch": EPOCH,
    }
    of_period = _OF_ALL_TIME if days[0] == ALL_TIME else _OF_DAYS
    return _TOP.format(shown=shown, page=page, of_period=of_period), parameters


async def readers(
    store: Store,
    sites: Sequence[str],
    days: tuple[int, int],
    paths: Collection[str],
    aliases: Sequence[PageAlias] = (),
) -> dict[str, PageReaders]:
    """Return what the raw hits of pages say, without those taken back. Raises StoreError.

    A reader of pages on two sites counts once for each.
    """
    page, of_aliases = page_column(aliases)
    ready = PageAliases(aliases)
    by_path: dict[str, PageReaders] = {}
    for site in sites:
        parameters: dict[str, object] = {
            "site": site,
            "first": to_date(days[0]),
            "last": to_date(days[1]),
            "paths": sorted(address for path in paths for address in ready.addresses_of(path)),
        }
        left = await corrections.left(store, parameters)
        statement = _READERS.format(left=left, page=page)
        for path, visitors, views in await store.execute(statement, parameters | of_aliases):
            before = by_path.get(path, PageReaders(0, 0))
            by_path[path] = PageReaders(before.visitors + visitors, before.views + views)
    return by_path


def _without(hidden: Sequence[str]) -> tuple[str, dict[str, object]]:
    exact = [page for page in hidden if not page.endswith(ANY_TEXT)]
    begins = [page[:-1] for page in hidden if page.endswith(ANY_TEXT)]
    values: dict[str, object] = {"no_pages": ["", OTHER_PATH, UNKNOWN_PATH]}
    tests = list[str]()
    if exact:
        values["hidden"] = exact
        tests.append("page NOT IN %(hidden)s")
    for place, stem in enumerate(begins):
        values[f"stem_{place}"] = re.sub(r"([\\%_])", r"\\\1", stem) + "%"
        tests.append(f"page NOT LIKE %(stem_{place})s")
    return f"WHERE {' AND '.join(tests)}\n" if tests else "", values
