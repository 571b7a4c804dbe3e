"""Every statement of the API that is not a repository's: what it reads to answer."""

from collections.abc import Sequence
from typing import NamedTuple

from services.api.periods import Key
from services.model.calendar import EPOCH, Grain, to_date, to_day
from services.model.hit import OTHER_PATH
from services.store.interface import Store

_ROWS = """
SELECT toString(grain), start, argMax(views, position), argMax(visits, position)
FROM counters
WHERE site = %(site)s AND path = '' AND (
    (grain = 'day' AND start IN %(days)s)
    OR (grain = 'month' AND start IN %(months)s)
    OR (grain = 'year' AND start IN %(years)s)
    OR (grain = 'total' AND start = %(epoch)s))
GROUP BY grain, start
"""

_PATHS = """
SELECT path, toString(grain), argMax(views, position)
FROM counters
WHERE site = %(site)s AND path IN %(paths)s AND (
    (grain = 'day' AND start = %(today)s) OR (grain = 'total' AND start = %(epoch)s))
GROUP BY path, grain
"""

# An id that was entered twice counts as it was entered first.
_BALANCES = """
SELECT
    argMin(path, at),
    argMin(toString(grain), at),
    argMin(start, at),
    argMin(views, at),
    argMin(visits, at)
FROM opening_balances
WHERE site = %(site)s AND path IN %(paths)s
GROUP BY id
"""

# Only columns of the table's key are tested, so FINAL sees every row of a key, and reads no more
# than the days asked for.
_TOP = """
SELECT path, sum(views) AS of_all
FROM counters FINAL
WHERE site = %(site)s AND grain = 'day' AND start >= %(first)s AND start <= %(last)s
    AND path NOT IN %(no_pages)s
GROUP BY path
ORDER BY of_all DESC, path
LIMIT %(limit)s
"""

_VISITORS = """
SELECT day, toUInt64(uniqCombinedMerge(visitors))
FROM visitors
WHERE site = %(site)s AND day >= %(first)s AND day < %(end)s
GROUP BY day
"""

_PEAK = """
SELECT max(online), argMax(at, online)
FROM peaks
WHERE site = %(site)s AND day = %(day)s
HAVING count() > 0
"""

_FIRST_DAY = """
SELECT start
FROM counters
WHERE site = %(site)s AND grain = 'day'
ORDER BY site, grain, start
LIMIT 1
"""


class Count(NamedTuple):
    """What one counter row counts."""

    views: int
    visits: int


class Balance(NamedTuple):
    """One entry of the ledger of opening balances."""

    path: str
    grain: Grain
    start: int
    views: int
    visits: int


class Peak(NamedTuple):
    """The most visitors online at one time, and when, in ms since 1970."""

    online: int
    at: int


async def rows(store: Store, site: str, keys: frozenset[Key]) -> dict[Key, Count]:
    """Return the counter rows of a whole site, of those that exist."""

    def starts(grain: Grain) -> list[object]:
        return [to_date(start) for of, start in sorted(keys) if of == grain]

    found = await store.execute(
        _ROWS,
        {
            "site": site,
            "days": starts(Grain.DAY),
            "months": starts(Grain.MONTH),
            "years": starts(Grain.YEAR),
            "epoch": EPOCH,
        },
    )
    return {
        (Grain(grain), to_day(start)): Count(views, visits) for grain, start, views, visits in found
    }


async def path_views(
    store: Store, site: str, paths: Sequence[str], today: int
) -> dict[tuple[str, Grain], int]:
    """Return the views of pages, today's and all, of those that were ever viewed."""
    parameters = {"site": site, "paths": list(paths), "today": to_date(today), "epoch": EPOCH}
    found = await store.execute(_PATHS, parameters)
    return {(path, Grain(grain)): views for path, grain, views in found}


async def balances(store: Store, site: str, paths: Sequence[str]) -> list[Balance]:
    """Return the opening balances of pages; the path '' is the whole site."""
    found = await store.execute(_BALANCES, {"site": site, "paths": list(paths)})
    return [
        Balance(path, Grain(grain), to_day(start), views, visits)
        for path, grain, start, views, visits in found
    ]


async def top_pages(
    store: Store, site: str, first: int, last: int, limit: int
) -> list[tuple[str, int]]:
    """Return the pages with the most views on the days first..last, and the views."""
    parameters = {
        "site": site,
        "first": to_date(first),
        "last": to_date(last),
        "no_pages": ["", OTHER_PATH],
        "limit": limit,
    }
    return [(path, views) for path, views in await store.execute(_TOP, parameters)]


async def visitors(store: Store, site: str, first: int, end: int) -> dict[int, int]:
    """Return the visitors of each day from `first` to the one before `end`."""
    parameters = {"site": site, "first": to_date(first), "end": to_date(end)}
    return {to_day(day): count for day, count in await store.execute(_VISITORS, parameters)}


async def peak(store: Store, site: str, day: int) -> Peak | None:
    """Return the peak of a day."""
    found = await store.execute(_PEAK, {"site": site, "day": to_date(day)})
    return Peak(*found[0]) if found else None


async def first_day(store: Store, site: str) -> int | None:
    """Return the first day that was counted."""
    found = await store.execute(_FIRST_DAY, {"site": site})
    return to_day(found[0][0]) if found else None
