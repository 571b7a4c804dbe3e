"""Which sites were erased, and the deletion of all that is kept of a name.

Names are never reused, so a deletion may be repeated at any time: what arrives late for an erased
name, from a spool or a replay of the log, is deleted as well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from services.model.downloads import downloads_of
from services.model.kept_apart import all_names, site_of
from services.store.interface import Store

_COUNTERS = "counters"
TABLES = (
    "hits",
    _COUNTERS,
    "daily_visitors",
    "visitors",
    "peaks",
    "peak_resets",
    "returned_views",
    "opening_balances",
    "corrections",
    "correction_entries",
    "corrected_hits",
    "moved_visits",
    "ended_visits",
    "ended_pages",
    "ended_days",
    "import_counts",
    "imports",
    "share_links",
    "annotations",
    "report_schedules",
    "report_sendings",
    "alert_rules",
    "alert_events",
    "titles",
    "title_plans",
    "title_runs",
)
"""Every table that keeps something of a site, in the order in which they are cleared."""
_LOOK_SECONDS = 0.1

Note = Callable[[Mapping[str, int]], Awaitable[None]]
_POSITION_BITS = 62

_ALL = """
SELECT name, argMax(slug, version), argMax(state, version), argMax(author, version),
    argMax(at, version), argMax(position, version)
FROM erasures
WHERE position(name, '#') = 0
GROUP BY name
ORDER BY name
"""

_RUNNING = """
SELECT count()
FROM {mutations}
WHERE database = currentDatabase() AND table = %(table)s AND is_done = 0
"""

_HELD = "SELECT DISTINCT site FROM {table} WHERE site IN %(sites)s"
_DELETE = "ALTER TABLE {table} DELETE WHERE site IN %(sites)s"
_UP_TO = "(site = %(site{0})s AND position <= %(position{0})s)"
_NEWEST = "SELECT site, max(position) FROM counters WHERE site IN %(sites)s GROUP BY site"
_COUNT = "SELECT {what} FROM {table} WHERE site IN %(sites)s"

_KEPT = """
SELECT toUInt64(sum(total)), toUInt64(sum(visits)), toUInt64(sum(days))
FROM (
    SELECT path, grain, start,
        if(grain = 'total', argMax(views, position), 0) AS total,
        if(grain = 'total', argMax(visits, position), 0) AS visits,
        grain = 'day' AS days
    FROM counters
    WHERE site IN %(sites)s AND path = '' AND grain IN ('day', 'total')
    GROUP BY site, path, grain, start
)
"""


class ErasureState(IntEnum):
    """The state of an erasure."""

    BEGUN = 0
    """The API is removing its settings and its members."""
    TAKEN = 1
    """Nobody sees it or sends hits for it any more; the aggregator is deleting its rows."""
    DONE = 2


class Erasure(NamedTuple):
    """One erased name.

    name    that hits and counters had
    slug    of the site
    state   an ErasureState
    position  of the newest counter row that was, or is about to be, deleted
    author  who erased it, and `at` when, in ms since 1970
    """

    name: str
    slug: str
    state: int
    author: str
    at: int
    position: int = 0

    @property
    def version(self) -> int:
        """The rank of a row: of two for one name, the more advanced one wins."""
        return self.state << _POSITION_BITS | self.position


class KeptCounts(NamedTuple):
    """What is kept of a site."""

    views: int
    visits: int
    days: int
    downloads: int
    hits: int
    balances: int
    corrections: int
    imports: int


async def load(store: Store) -> list[Erasure]:
    """Return everything that was erased, by name."""
    return [Erasure(*row) for row in await store.execute(_ALL)]


async def write(store: Store, erasures: Sequence[Erasure]) -> None:
    """Write erasures and their states; a state never goes back."""
    columns = {field: [getattr(one, field) for one in erasures] for field in Erasure._fields}
    await store.insert("erasures", {**columns, "version": [one.version for one in erasures]})


async def held(store: Store, names: Collection[str]) -> set[str]:
    """Return those of the names of which anything is kept."""
    if not names:
        return set()
    sites = all_names(names)
    by_table = [await _held_in(store, table, sites) for table in TABLES]
    return {site_of(name) for of_table in by_table for name in of_table}


async def delete(store: Store, names: Collection[str], note: Note | None = None) -> None:
    """Delete all that is kept of names, not only views; it is gone when this returns.

    note  called before counters are deleted, with the position of the newest of each name: no later
          ones are deleted then
    """
    sites = all_names(names)
    for table in TABLES:
        # One begun by a process that was killed.
        await _ended(store, table)
        # A replica may not know yet of a deletion that another one of its shard has begun.
        while await _held_in(store, table, sites):
            if table == _COUNTERS and note is not None:
                await _delete_counters(store, sites, note)
            else:
                await store.execute_ddl(_DELETE.format(table=table), {"sites": sites})
            await _ended(store, table)


async def _delete_counters(store: Store, sites: Sequence[str], note: Note) -> None:
    newest = await store.execute_by_site(_NEWEST, {"sites": list(sites)}, keys="sites")
    if not newest:
        # Another worker has just deleted them.
        return
    await note(dict(newest))
    known: dict[str, object] = {}
    for number, (site, position) in enumerate(newest):
        known |= {f"site{number}": site, f"position{number}": position}
    which = " OR ".join(map(_UP_TO.format, range(len(newest))))
    await store.execute_ddl(f"ALTER TABLE {_COUNTERS} DELETE WHERE {which}", known)


async def kept(store: Store, names: Collection[str]) -> KeptCounts:
    """Return what is kept of names, for people."""
    views, visits, days = (await store.execute(_KEPT, {"sites": list(names)}))[0]
    files = list(map(downloads_of, names))
    downloads, _, _ = (await store.execute(_KEPT, {"sites": files}))[0]
    sites = all_names(names)
    counts = [
        (await store.execute(_COUNT.format(what=what, table=table), {"sites": sites}))[0][0]
        for table, what in (
            ("hits", "count()"),
            ("opening_balances", "uniqExact(id)"),
            ("corrections", "uniqExact(id)"),
            ("imports", "uniqExact(digest)"),
        )
    ]
    return KeptCounts(views, visits, days, downloads, *counts)


async def _held_in(store: Store, table: str, sites: Sequence[str]) -> list[str]:
    rows = await store.execute_by_site(
        _HELD.format(table=table), {"sites": list(sites)}, keys="sites"
    )
    return [site for (site,) in rows]


async def _ended(store: Store, table: str) -> None:
    """Return once every deletion in a table has ended."""
    while True:
        running = _RUNNING.format(mutations=store.system("mutations"))
        if not (await store.execute(running, {"table": store.stored(table)}))[0][0]:
            return
        await asyncio.sleep(_LOOK_SECONDS)
