"""The statements behind the public numbers."""

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

from services.api.counter.periods import Key
from services.model.calendar import EPOCH, Grain, period_start, to_date, to_day
from services.model.hit import OTHER_PATH, UNKNOWN_PATH
from services.store.interface import Store

_GRAINS = {grain.value: grain for grain in Grain}
_LAST_DAY = (1 << 16) - 1
_PARTS = {Grain.YEAR: (Grain.MONTH, 366), Grain.MONTH: (Grain.DAY, 31)}
"""The next shorter grain, and the most days of a period."""

# The key columns are compared as they are, without functions, so that the index is used.
_ROWS = """
SELECT site, toString(grain), toUInt16(start), argMax(views, position), argMax(visits, position)
FROM counters
WHERE site IN %(sites)s AND path = '' AND (
    (grain = 'day' AND start IN %(days)s)
    OR (grain = 'month' AND start IN %(months)s)
    OR (grain = 'year' AND start IN %(years)s)
    OR (grain = 'total' AND start = %(epoch)s))
GROUP BY site, grain, start
"""

_PATHS = """
SELECT site, path, toString(grain), toUInt16(start), argMax(views, position)
FROM counters
WHERE site IN %(sites)s AND path IN %(paths)s AND (
    (grain = 'day' AND start IN %(days)s) OR (grain = 'total' AND start = %(epoch)s))
GROUP BY site, path, grain, start
"""

# If an id was entered twice, the first entry counts.
_BALANCES = """
SELECT
    site,
    argMin(path, at),
    argMin(toString(grain), at),
    argMin(start, at),
    argMin(views, at),
    argMin(visits, at)
FROM opening_balances
WHERE site IN %(sites)s AND path IN %(paths)s
GROUP BY site, id
"""

# Only key columns are compared, so FINAL sees every version of a row, and reads no more than the
# requested days.
_TOP = """
SELECT path, sum(of_day) AS of_all
FROM (
    SELECT path, views AS of_day
    FROM counters FINAL
    WHERE site = %(site)s AND grain = 'day' AND start >= %(first)s AND start <= %(last)s
        AND path NOT IN %(no_pages)s
    UNION ALL
    SELECT path, views AS of_day
    FROM returned_views FINAL
    WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s
)
GROUP BY path
HAVING of_all > 0
ORDER BY of_all DESC, path
LIMIT %(limit)s
"""

_VISITORS = """
SELECT site, day, toUInt64(uniqCombinedMerge(visitors))
FROM visitors
WHERE site IN %(sites)s AND day >= %(first)s AND day < %(end)s
GROUP BY site, day
"""

_PEAKS = """
SELECT site, day, max(online), argMax(at, online)
FROM peaks
WHERE site IN %(sites)s AND day IN %(days)s
GROUP BY site, day
"""

_FIRST = """
SELECT site, toUInt16(min(start))
FROM counters
WHERE site IN %(sites)s AND grain = %(grain)s AND start IN %(starts)s AND path = ''
GROUP BY site
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


class OnlinePeak(NamedTuple):
    """The most visitors online at one time, and when, in ms since 1970."""

    online: int
    at: int


async def rows(
    store: Store, sites: Collection[str], keys: Collection[Key]
) -> dict[str, dict[Key, Count]]:
    """Return, by site, those counter rows of whole sites that exist."""

    def starts(grain: Grain) -> list[date]:
        return [to_date(start) for of, start in sorted(keys) if of == grain]

    counted = await store.execute(
        _ROWS,
        {
            "sites": sorted(sites),
            "days": starts(Grain.DAY),
            "months": starts(Grain.MONTH),
            "years": starts(Grain.YEAR),
            "epoch": EPOCH,
        },
    )
    counts: dict[str, dict[Key, Count]] = {}
    for site, grain, start, views, visits in counted:
        counts.setdefault(site, {})[_GRAINS[grain], start] = Count(views, visits)
    return counts


async def path_views(
    store: Store, pages: Collection[tuple[str, str]], days: Collection[int]
) -> dict[tuple[str, str], dict[Key, int]]:
    """Return the views of pages (site and path), of the days and in total, for those ever viewed.

    May include pages that were not requested.
    """
    parameters = {
        "sites": sorted({site for site, _ in pages}),
        "paths": sorted({path for _, path in pages}),
        "days": [to_date(day) for day in days],
        "epoch": EPOCH,
    }
    views: dict[tuple[str, str], dict[Key, int]] = {}
    for site, path, grain, start, count in await store.execute(_PATHS, parameters):
        views.setdefault((site, path), {})[_GRAINS[grain], start] = count
    return views


async def balances(
    store: Store, sites: Collection[str], paths: Collection[str]
) -> dict[str, list[Balance]]:
    """Return, by site, the opening balances of paths; the path '' is the whole site."""
    parameters = {"sites": sorted(sites), "paths": sorted(paths)}
    entries: dict[str, list[Balance]] = {}
    for site, path, grain, start, *counts in await store.execute(_BALANCES, parameters):
        entry = Balance(path, _GRAINS[grain], to_day(start), *counts)
        entries.setdefault(site, []).append(entry)
    return entries


async def top_pages(
    store: Store, site: str, first: int, last: int, limit: int
) -> list[tuple[str, int]]:
    """Return the pages with the most views on the days first..last, and the views."""
    parameters = {
        "site": site,
        "first": to_date(first),
        "last": to_date(last),
        "no_pages": ["", OTHER_PATH, UNKNOWN_PATH],
        "limit": limit,
    }
    return [(path, views) for path, views in await store.execute(_TOP, parameters)]


async def visitors(
    store: Store, sites: Collection[str], first: int, end: int
) -> dict[str, dict[int, int]]:
    """Return, by site, the visitors of each day from `first` to the one before `end`."""
    parameters = {"sites": sorted(sites), "first": to_date(first), "end": to_date(end)}
    counts: dict[str, dict[int, int]] = {}
    for site, day, count in await store.execute(_VISITORS, parameters):
        counts.setdefault(site, {})[to_day(day)] = count
    return counts


async def peaks(
    store: Store, sites: Collection[str], days: Collection[int]
) -> dict[tuple[str, int], OnlinePeak]:
    """Return the peaks of days, by site and day."""
    parameters = {"sites": sorted(sites), "days": [to_date(day) for day in days]}
    rows = await store.execute(_PEAKS, parameters)
    return {(site, to_day(day)): OnlinePeak(online, at) for site, day, online, at in rows}


async def first_days(store: Store, sites: Collection[str]) -> dict[str, int]:
    """Return the first counted day of each site that has one.

    Finds the first year, then its first month, then its first day: all days of all sites would be
    too many to scan.
    """
    starts = {period_start(day, Grain.YEAR) for day in range(0, _LAST_DAY, 365)}
    first: dict[str, int] = {}
    for grain in (Grain.YEAR, Grain.MONTH, Grain.DAY):
        parameters = {
            "sites": sorted(sites),
            "grain": grain.value,
            "starts": [to_date(start) for start in sorted(starts)],
        }
        first = dict(await store.execute(_FIRST, parameters))
        if not first or grain is Grain.DAY:
            break
        shorter, days = _PARTS[grain]
        starts = {
            period_start(start + day, shorter)
            for start in set(first.values())
            for day in range(days)
        }
    return first
