"""Recounts raw hits and compares them with the counters."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from services.model.calendar import Grain, period_start, to_date, to_day
from services.model.kept_apart import site_of
from services.model.partition import partition_of
from services.store.counts import erasures, hits
from services.store.interface import Store

# One statement, so that it sees whole flushes: the highest position is that of the partition.
_ROWS = """
SELECT site, toString(grain), start, argMax(views, position), argMax(visits, position),
    max(position)
FROM counters
WHERE path = '' AND (grain = 'total' OR (grain = 'day' AND start >= %(first)s))
GROUP BY site, grain, start
"""

_SITES = "SELECT DISTINCT site FROM hits WHERE day >= %(first)s"

_RECOUNT = """
SELECT site, day, count(), countIf(visit = 1)
FROM hits FINAL
WHERE site IN %(sites)s AND day >= %(first)s AND position <= %(position)s AND bot = 0
GROUP BY site, day
"""

_PAGES = """
SELECT site, start,
    sumIf(held, path = '') AS views, sumIf(begun, path = '') AS visits,
    sumIf(held, path != '') AS page_views, sumIf(begun, path != '') AS page_visits
FROM (
    SELECT site, start, path, argMax(views, position) AS held, argMax(visits, position) AS begun
    FROM counters
    WHERE grain = 'day' AND start >= %(first)s
    GROUP BY site, start, path
)
GROUP BY site, start
HAVING views != page_views OR visits != page_visits
ORDER BY site, start
"""

_PERIODS = """
SELECT site, toString(grain), start, argMax(views, position), argMax(visits, position)
FROM counters
WHERE path = ''
GROUP BY site, grain, start
"""


class Difference(NamedTuple):
    """A counter row with wrong values.

    start     first day of its period, in days since 1970-01-01
    views, visits                    what the row says
    counted_views, counted_visits    what a recount says
    """

    site: str
    grain: str
    start: int
    views: int
    visits: int
    counted_views: int
    counted_visits: int

    def __str__(self) -> str:
        when = "" if self.grain == Grain.TOTAL else f" of {to_date(self.start)}"
        return (
            f"{self.site}, {self.grain}{when}: {self.views} views and {self.visits} visits,"
            f" recounted {self.counted_views} and {self.counted_visits}"
        )


Counts = tuple[int, int]
_Day = tuple[str, int]


async def first_kept(store: Store, first_day: int, today: int) -> int:
    """Return the first day from `first_day` on that can be compared with its raw hits.

    Raw hits are dropped by month, of all sites at once: no month before the oldest that is there
    can be compared. Those of the last days are never dropped, so they are missed if there are none.
    """
    oldest = await hits.first_day(store)
    never_dropped = today - hits.LEAST_DAYS + 1
    oldest_kept = never_dropped if oldest is None else min(oldest, never_dropped)
    return max(first_day, oldest_kept)


async def recount(
    store: Store, partitions: int, first_day: int, of: Collection[int] | None = None
) -> list[Difference]:
    """Compare the days from `first_day` on with their raw hits, for the partitions `of`, or all.

    The counters of a partition are compared with the raw hits up to the same position, so
    concurrent flushes do no harm. A row is reported only if it differs by the same amount twice.
    Raises StoreError.
    """
    chosen = range(partitions) if of is None else of
    differ = await _recount(store, partitions, first_day, chosen)
    if not differ:
        return []
    # A flush with more rows than fit into one insert could be seen halfway.
    again = await _recount(
        store, partitions, first_day, {partition_of(row.site, partitions) for row in differ}
    )
    off = {(row.site, row.start): _off(row) for row in differ}
    return await _not_erased(
        store, [row for row in again if off.get((row.site, row.start)) == _off(row)]
    )


async def _not_erased(store: Store, differ: list[Difference]) -> list[Difference]:
    """Leave out sites that were erased: their rows are deleted table by table."""
    if not differ:
        return []
    erased = {one.name for one in await erasures.load(store)}
    return [row for row in differ if site_of(row.site) not in erased]


def _off(row: Difference) -> Counts:
    return row.views - row.counted_views, row.visits - row.counted_visits


async def _recount(
    store: Store, partitions: int, first_day: int, chosen: Collection[int]
) -> list[Difference]:
    # A flush reaches shards at different moments: each has its own highest position.
    return [
        row
        for shard in await store.shards()
        for row in await _recount_shard(shard, partitions, first_day, chosen)
    ]


async def _recount_shard(
    store: Store, partitions: int, first_day: int, chosen: Collection[int]
) -> list[Difference]:
    since = {"first": to_date(first_day)}
    ends: dict[int, int] = {}
    rows: dict[_Day, Counts] = {}
    for site, grain, start, views, visits, position in await store.execute(_ROWS, since):
        partition = partition_of(site, partitions)
        ends[partition] = max(ends.get(partition, 0), position)
        if grain == Grain.DAY and partition in chosen:
            rows[site, to_day(start)] = (views, visits)
    sites: dict[int, set[str]] = defaultdict(set)
    for (site,) in await store.execute(_SITES, since):
        sites[partition_of(site, partitions)].add(site)
    for site, _ in rows:
        sites[partition_of(site, partitions)].add(site)
    counted: dict[_Day, Counts] = {}
    for partition in chosen:
        if partition in ends and sites[partition]:
            parameters = {**since, "sites": sorted(sites[partition]), "position": ends[partition]}
            for site, day, views, visits in await store.execute(_RECOUNT, parameters):
                counted[site, to_day(day)] = (views, visits)
    return [
        Difference(site, Grain.DAY, day, *rows.get((site, day), (0, 0)), *counts)
        for (site, day), counts in _both(rows, counted)
    ]


def _both(
    rows: Mapping[_Day, Counts], counted: Mapping[_Day, Counts]
) -> Iterable[tuple[_Day, Counts]]:
    for key in sorted(rows.keys() | counted.keys()):
        if rows.get(key, (0, 0)) != counted.get(key, (0, 0)):
            yield key, counted.get(key, (0, 0))


async def pages(store: Store, first_day: int) -> list[Difference]:
    """Compare the days of sites from `first_day` on with the sums of their pages."""
    rows = await store.execute(_PAGES, {"first": to_date(first_day)})
    return await _not_erased(
        store,
        [Difference(site, Grain.DAY, to_day(start), *counts) for site, start, *counts in rows],
    )


async def periods(store: Store) -> list[Difference]:
    """Compare months, years and totals of sites with the sums of their days."""
    rows: dict[tuple[str, str, int], Counts] = {}
    sums: dict[tuple[str, str, int], Counts] = {}
    for site, grain, start, views, visits in await store.execute(_PERIODS):
        day = to_day(start)
        if grain != Grain.DAY:
            rows[site, grain, day] = (views, visits)
            continue
        for longer in (Grain.MONTH, Grain.YEAR, Grain.TOTAL):
            key = (site, longer.value, period_start(day, longer))
            more_views, more_visits = sums.get(key, (0, 0))
            sums[key] = (more_views + views, more_visits + visits)
    return await _not_erased(
        store,
        [
            Difference(*key, *rows.get(key, (0, 0)), *sums.get(key, (0, 0)))
            for key in sorted(rows.keys() | sums.keys())
            if rows.get(key, (0, 0)) != sums.get(key, (0, 0))
        ],
    )
