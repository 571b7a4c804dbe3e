"""The ledger of opening balances: entries are added, never edited or removed."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from services.model.calendar import Grain, to_day
from services.store.interface import Row, Store

MARK = "/"
"""Separates the id of a bulk entry from a line number; ids chosen by people never contain it."""

Period = tuple[str, Grain, int]
"""Path ('' for the whole site), grain, first day in days since 1970-01-01 (0 for the total)."""


class BalanceEntry(NamedTuple):
    """One entry: what it adds to one period, or takes back, and who entered it, when and why.

    at  milliseconds since 1970
    """

    id: str
    path: str
    grain: Grain
    start: int
    views: int
    visits: int
    author: str
    at: int
    reason: str

    @property
    def period(self) -> Period:
        """The only period in which the entry counts."""
        return (self.path, self.grain, self.start)


class LedgerLine(NamedTuple):
    """A line in the list of the ledger: a single entry, or a bulk entry with all its lines.

    entry  for a bulk entry: its own id, the sums of its views and visits, path and start of one
    lines  of a bulk entry; 0 for a single one
    last   the last start in it
    """

    entry: BalanceEntry
    lines: int
    last: int


def line_id(bulk: str, number: int, lines: int) -> str:
    """Return the id of one line of a bulk entry, which also encodes how many there are."""
    return f"{bulk}{MARK}{number}{MARK}{lines}"


# If an id was entered twice, the first entry counts.
_ENTRIES = """
SELECT id, argMin(path, at), argMin(toString(grain), at), argMin(start, at), argMin(views, at),
    argMin(visits, at), argMin(author, at), min(at) AS entered, argMin(reason, at)
FROM opening_balances
WHERE site = %(site)s {narrowed}
GROUP BY id
ORDER BY entered, id
{part}
"""
_OF_IDS = _ENTRIES.format(narrowed="AND id IN %(ids)s", part="")
# The primary key is (site, id), and the character after '/' is '0'.
_OF_BULK = _ENTRIES.format(narrowed="AND id >= %(first)s AND id < %(end)s", part="")

# A bulk entry is one line. Its entries have one reason, author and time.
_PAGE = """
SELECT own, min(held_path), min(held_grain), min(held_start), sum(held_views), sum(held_visits),
    any(held_author), min(entered) AS since, any(held_reason),
    if(bulk = 0, 0, count()) AS lines, max(held_start)
FROM (
    SELECT position(id, '/') AS bulk, if(bulk = 0, id, substring(id, 1, bulk - 1)) AS own,
        argMin(path, at) AS held_path, argMin(toString(grain), at) AS held_grain,
        argMin(start, at) AS held_start, argMin(views, at) AS held_views,
        argMin(visits, at) AS held_visits, argMin(author, at) AS held_author,
        min(at) AS entered, argMin(reason, at) AS held_reason
    FROM opening_balances
    WHERE site = %(site)s
    GROUP BY id
)
GROUP BY own, bulk
ORDER BY since, own, lines
LIMIT %(offset)s, %(limit)s
"""

_COUNT = """
SELECT uniqExact(if(position(id, '/') = 0, id, substring(id, 1, position(id, '/'))))
FROM opening_balances
WHERE site = %(site)s
"""

_PERIODS = """
SELECT held_grain, held_start
FROM (
    SELECT argMin(toString(grain), at) AS held_grain, argMin(start, at) AS held_start,
        argMin(views, at) AS held_views, argMin(visits, at) AS held_visits
    FROM opening_balances
    WHERE site = %(site)s
    GROUP BY id
)
GROUP BY held_grain, held_start
HAVING sum(held_views) != 0 OR sum(held_visits) != 0
"""

_SUMS = """
SELECT held_path, held_grain, held_start, sum(held_views), sum(held_visits)
FROM (
    SELECT argMin(path, at) AS held_path, argMin(toString(grain), at) AS held_grain,
        argMin(start, at) AS held_start, argMin(views, at) AS held_views,
        argMin(visits, at) AS held_visits
    FROM opening_balances
    WHERE site = %(site)s {narrowed}
    GROUP BY id
)
GROUP BY held_path, held_grain, held_start
"""
_SUMS_OF_PATHS = _SUMS.format(narrowed="AND path IN %(paths)s")
_ALL_SUMS = _SUMS.format(narrowed="")


async def add(store: Store, site: str, entries: Sequence[BalanceEntry]) -> None:
    """Write entries: all of them or, on an error, none."""
    if not entries:
        return
    columns = dict(zip(BalanceEntry._fields, zip(*entries, strict=True), strict=True))
    columns["grain"] = tuple(entry.grain.value for entry in entries)
    await store.insert("opening_balances", {"site": [site] * len(entries), **columns})


async def find(store: Store, site: str, ids: Collection[str]) -> dict[str, BalanceEntry]:
    """Return the entries with these ids, as far as they exist."""
    if not ids:
        return {}
    rows = await store.execute(_OF_IDS, {"site": site, "ids": sorted(ids)})
    return {row[0]: _entry(row) for row in rows}


async def of_bulk(store: Store, site: str, bulk: str) -> dict[str, BalanceEntry]:
    """Return the entries of a bulk entry by id; none if it does not exist."""
    bounds = {"first": bulk + MARK, "end": bulk + chr(ord(MARK) + 1)}
    rows = await store.execute(_OF_BULK, {"site": site, **bounds})
    return {row[0]: _entry(row) for row in rows}


async def page(store: Store, site: str, offset: int, limit: int) -> list[LedgerLine]:
    """Return lines of the list, oldest first: `limit` of them after the first `offset`."""
    rows = await store.execute(_PAGE, {"site": site, "offset": offset, "limit": limit})
    return [LedgerLine(_entry(row), lines, to_day(last)) for *row, lines, last in rows]


async def count(store: Store, site: str) -> int:
    """Return the number of lines in the list of a site; a bulk entry is one."""
    ((entries,),) = await store.execute(_COUNT, {"site": site})
    return int(entries)


async def periods(store: Store, site: str) -> list[tuple[Grain, int]]:
    """Return the periods, of the site or of any page, that hold anything in the ledger."""
    rows = await store.execute(_PERIODS, {"site": site})
    return [(Grain(grain), to_day(start)) for grain, start in rows]


async def sums(store: Store, site: str, paths: Collection[str]) -> dict[Period, tuple[int, int]]:
    """Return the views and visits that the entries of these paths add up to, by period."""
    if not paths:
        return {}
    rows = await store.execute(_SUMS_OF_PATHS, {"site": site, "paths": sorted(paths)})
    return _by_period(rows)


async def all_sums(store: Store, site: str) -> dict[Period, tuple[int, int]]:
    """Return the same of the whole site and every page of it."""
    return _by_period(await store.execute(_ALL_SUMS, {"site": site}))


def _by_period(rows: Sequence[Row]) -> dict[Period, tuple[int, int]]:
    return {
        (path, Grain(grain), to_day(start)): (views, visits)
        for path, grain, start, views, visits in rows
    }


def _entry(row: Sequence[Any]) -> BalanceEntry:
    name, path, grain, start, *rest = row
    return BalanceEntry(name, path, Grain(grain), to_day(start), *rest)
