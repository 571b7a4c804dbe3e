"""The statements behind the public numbers."""

import asyncio
from collections.abc import Collection
from datetime import date
from typing import NamedTuple

from services.api.counter.periods import Key
from services.model.calendar import Grain, period_start, to_date, to_day
from services.store.counts import corrections
from services.store.interface import Store

_GRAINS = {grain.value: grain for grain in Grain}
_LAST_DAY = (1 << 16) - 1
_PARTS = {Grain.YEAR: (Grain.MONTH, 366), Grain.MONTH: (Grain.DAY, 31)}
"""The next shorter grain, and the most days of a period."""

# The key columns are compared as they are, without functions, so that the index is used; and with
# one set of pairs, since each branch of an OR makes the analysis of every part more expensive.
_ROWS = """
SELECT site, toString(grain), toUInt16(start), argMax(views, position), argMax(visits, position)
FROM counters
WHERE site IN %(sites)s AND path = '' AND (grain, start) IN %(periods)s
GROUP BY site, grain, start
"""

_PATHS = """
SELECT site, path, toString(grain), toUInt16(start), argMax(views, position)
FROM counters
WHERE site IN %(sites)s AND path IN %(paths)s AND (grain, start) IN %(periods)s
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

_VISITORS = """
SELECT site, day, toUInt64(uniqCombinedMerge(visitors))
FROM daily_visitors
WHERE site IN %(sites)s AND day >= %(first)s AND day < %(end)s
GROUP BY site, day
"""

_PEAKS = """
SELECT site, day, toUInt64(max(online)) AS most, argMax(at, online) AS since,
    toUInt64(0) AS reset_at
FROM peaks
WHERE site IN %(sites)s AND day IN %(days)s
GROUP BY site, day
UNION ALL
SELECT site, day, toUInt64(0) AS most, toUInt64(0) AS since,
    if(argMax(is_reset, version) = 1, max(version), toUInt64(0)) AS reset_at
FROM peak_resets
WHERE site IN %(sites)s AND day IN %(days)s
GROUP BY site, day
"""

_FIRST = """
SELECT site, toUInt16(min(start))
FROM counters
WHERE site IN %(sites)s AND grain = %(grain)s AND start IN %(starts)s AND path = ''
GROUP BY site
"""

_UNDONE = """
SELECT DISTINCT site
FROM corrections
WHERE site IN %(sites)s AND id LIKE %(undone)s
"""

_FIRST_LEFT = """
SELECT site, toUInt16(min(day))
FROM (
    SELECT site, day, sum(of_day) AS left
    FROM (
        SELECT site, start AS day, toInt64(argMax(views, position)) AS of_day
        FROM counters
        WHERE site IN %(sites)s AND grain = 'day' AND path = ''
        GROUP BY site, start
        UNION ALL
        SELECT site, day, -any(views) AS of_day
        FROM correction_entries
        WHERE site IN %(sites)s AND path = ''
            AND run IN (SELECT run FROM corrections WHERE site IN %(sites)s)
        GROUP BY site, day, run
    )
    GROUP BY site, day
    HAVING left > 0
)
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
    """The most visitors online at once, and when, in ms since 1970."""

    online: int
    at: int


async def rows(
    store: Store, sites: Collection[str], keys: Collection[Key]
) -> dict[str, dict[Key, Count]]:
    """Return, by site, the existing counter rows of whole sites."""
    parameters = {"sites": sorted(sites), "periods": _periods(keys)}
    counted = await store.execute(_ROWS, parameters)
    counts: dict[str, dict[Key, Count]] = {}
    for site, grain, start, views, visits in counted:
        counts.setdefault(site, {})[_GRAINS[grain], start] = Count(views, visits)
    return counts


async def path_views(
    store: Store, pages: Collection[tuple[str, str]], days: Collection[int]
) -> dict[tuple[str, str], dict[Key, int]]:
    """Return the views of pages (site and path), on the days and in total, for those ever viewed.

    May include pages that were not requested.
    """
    parameters = {
        "sites": sorted({site for site, _ in pages}),
        "paths": sorted({path for _, path in pages}),
        "periods": _periods([(Grain.DAY, day) for day in days] + [(Grain.TOTAL, 0)]),
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
) -> tuple[dict[tuple[str, int], OnlinePeak], dict[tuple[str, int], int]]:
    """Return the peaks of days as measured, and the versions of those that were reset."""
    parameters = {"sites": sorted(sites), "days": [to_date(day) for day in days]}
    measured: dict[tuple[str, int], OnlinePeak] = {}
    resets: dict[tuple[str, int], int] = {}
    for site, day, online, at, reset_at in await store.execute(_PEAKS, parameters):
        if reset_at:
            resets[site, to_day(day)] = reset_at
        elif online:
            measured[site, to_day(day)] = OnlinePeak(online, at)
    return measured, resets


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


async def first_shown_days(store: Store, sites: Collection[str]) -> dict[str, int]:
    """Return the first counted day of each site that has one, without imports that were undone."""
    parameters = {"sites": sorted(sites), "undone": f"{corrections.IMPORT}%"}
    first, rows = await asyncio.gather(first_days(store, sites), store.execute(_UNDONE, parameters))
    undone = [site for (site,) in rows]
    if undone:
        left: dict[str, int] = dict(await store.execute(_FIRST_LEFT, {"sites": sorted(undone)}))
        first = {site: day for site, day in first.items() if site not in undone} | left
    return first


def _periods(keys: Collection[Key]) -> list[tuple[str, date]]:
    """Return the grain and the first day of each period, as in the key of a counter row."""
    return [(grain.value, to_date(start)) for grain, start in sorted(keys)]
