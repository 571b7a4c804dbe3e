"""Views that were counted under `(other)` and are given back to their pages.

For each page and day an absolute number: all views of the page that raw hits have as `(other)`, up
to a position. So the repair is idempotent, and the counter rows, which belong to the aggregator,
stay unchanged. The raw hits get the page's path as well, in a newer version of their rows. What a
correction has taken back stays under the path that it was taken from.
"""

import time
from collections.abc import Collection
from typing import NamedTuple

from services.model.calendar import to_date, to_day
from services.model.hit import OTHER_PATH
from services.store.counts import corrections
from services.store.interface import Store

_KNOWN = "own_path IN (SELECT path FROM counters WHERE site = %(site)s AND grain = 'total')"
_NAMED = "own_path IN %(paths)s"

# A condition on a column that differs between versions of a row must not be applied before FINAL.
_WAITING = """
SELECT own_path, count() AS views, countIf(visit = 1), uniqExactIf(visitor, visitor != 0),
    countIf(path != own_path)
FROM (
    SELECT path, own_path, visit, visitor, {taken} AS is_taken
    FROM hits FINAL
    WHERE site = %(site)s AND day = %(day)s AND position <= %(position)s AND bot = 0
)
WHERE own_path != '' AND {which} AND (path = own_path OR is_taken = 0)
GROUP BY own_path
HAVING countIf(path != own_path) > 0
ORDER BY views DESC, own_path
LIMIT %(most)s
"""

_VIEWS = """
SELECT own_path, count(), countIf(visit = 1)
FROM (
    SELECT path, own_path, visit, {taken} AS is_taken
    FROM hits FINAL
    WHERE site = %(site)s AND day = %(day)s AND position <= %(position)s AND bot = 0
)
WHERE own_path IN %(paths)s AND {stays}
GROUP BY own_path
"""

_COLUMNS = (
    "at, day, visitor, visit, bot, host, source, device, browser, os, country, position, idx,"
    " own_path, utm_medium, utm_campaign, utm_content, utm_term, utm_source, region"
)

_REWRITE = """
INSERT INTO hits (site, path, {columns})
SELECT site, {path}, {columns}
FROM (
    SELECT site, path, {columns}, {taken} AS is_taken
    FROM hits FINAL
    WHERE site = %(site)s AND day = %(day)s AND position <= %(position)s
)
WHERE own_path IN %(paths)s AND path != {path} AND is_taken = 0
"""

_SUMS = """
SELECT site, path, day, argMax(views, version)
FROM returned_views
WHERE site IN %(sites)s AND path IN %(paths)s
GROUP BY site, path, day
"""

_POSITION = """
SELECT max(position) FROM counters WHERE site = %(site)s AND grain = 'total' AND path = ''
"""


class WaitingPage(NamedTuple):
    """A page with views of one day under `(other)`.

    readers  how many visitors they come from
    waiting  how many of the views are not given back
    """

    path: str
    views: int
    visits: int
    readers: int
    waiting: int


async def waiting(
    store: Store, site: str, day: int, paths: Collection[str] = (), *, most: int
) -> list[WaitingPage]:
    """Return pages of a day with views under `(other)`, those with the most views first.

    The given pages, or else those that have counters by now.
    """
    parameters = {**await _moment(store, site, day), "most": most}
    statement = _WAITING.format(
        which=_NAMED if paths else _KNOWN, taken=await _taken(store, parameters)
    )
    if paths:
        parameters["paths"] = sorted(paths)
    return [WaitingPage(*row) for row in await store.execute(statement, parameters)]


async def give_back(store: Store, site: str, day: int, paths: Collection[str]) -> dict[str, int]:
    """Count the views of a day under their own paths; return how many there are for each path."""
    if not paths:
        return {}
    parameters = {**await _moment(store, site, day), "paths": sorted(paths)}
    taken = await _taken(store, parameters)
    stays = "(path = own_path OR is_taken = 0)"
    rows = await store.execute(_VIEWS.format(taken=taken, stays=stays), parameters)
    await _write(store, site, day, rows)
    await store.execute(_REWRITE.format(columns=_COLUMNS, path="own_path", taken=taken), parameters)
    return {path: views for path, views, _ in rows}


async def take_again(store: Store, site: str, day: int, paths: Collection[str]) -> None:
    """Undo `give_back`: the views of a day count under `(other)` again."""
    if not paths:
        return
    parameters = {**await _moment(store, site, day), "paths": sorted(paths)}
    taken = await _taken(store, parameters)
    stays = "path = own_path AND is_taken != 0"
    left = dict.fromkeys(sorted(paths), (0, 0))
    for path, *counts in await store.execute(_VIEWS.format(taken=taken, stays=stays), parameters):
        left[path] = (counts[0], counts[1])
    await _write(store, site, day, [(path, *counts) for path, counts in left.items()])
    await store.execute(
        _REWRITE.format(columns=_COLUMNS, path=f"'{OTHER_PATH}'", taken=taken), parameters
    )


async def by_day(
    store: Store, sites: Collection[str], paths: Collection[str]
) -> dict[tuple[str, str], dict[int, int]]:
    """Return the views that were given back to pages, by site and path, and by day."""
    rows = await store.execute(_SUMS, {"sites": sorted(sites), "paths": sorted(paths)})
    views: dict[tuple[str, str], dict[int, int]] = {}
    for site, path, day, returned in rows:
        views.setdefault((site, path), {})[to_day(day)] = returned
    return views


async def _moment(store: Store, site: str, day: int) -> dict[str, object]:
    """Return the parameters of one day, up to the counters: raw hits are ahead of them."""
    ((position,),) = await store.execute(_POSITION, {"site": site})
    of_day = to_date(day)
    return {"site": site, "day": of_day, "first": of_day, "last": of_day, "position": position}


async def _taken(store: Store, parameters: dict[str, object]) -> str:
    """Return the expression for a hit that a correction takes."""
    runs = await corrections.in_force(store, parameters)
    return corrections.is_taken(runs) if runs else "0"


async def _write(store: Store, site: str, day: int, rows: Collection[tuple[str, int, int]]) -> None:
    if not rows:
        return
    paths, views, visits = zip(*rows, strict=True)
    await store.insert(
        "returned_views",
        {
            "site": [site] * len(rows),
            "path": paths,
            "day": [day] * len(rows),
            "views": views,
            "visits": visits,
            "version": [time.time_ns()] * len(rows),
        },
    )
