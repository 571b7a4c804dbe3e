"""What imports added, by entry of the log, day and page, so that each can be undone as a whole.

Written by the aggregator before the counters, like raw hits; a row written twice is one row. So
once an import is counted, its rows are exactly what it added to the counters.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from services.model.calendar import months, to_date, to_day
from services.store.interface import Store

POSITIONS = """
    SELECT position FROM import_counts WHERE site = %(site)s AND producer = %(producer)s"""
"""The entries of an import; `site` and `producer` are parameters of the statement."""

ENTRIES_A_QUERY = 1_000

_HELD = """
SELECT DISTINCT site, position
FROM import_counts
WHERE site IN %(sites)s AND producer IN %(producers)s
    AND position >= %(first)s AND position <= %(last)s
"""

_OF_IMPORTS = """
SELECT DISTINCT site, position
FROM import_counts
WHERE (site, position) IN %(entries)s
"""

_DAYS = """
SELECT day, sum(views), sum(visits), min(position), max(position)
FROM import_counts FINAL
WHERE site = %(site)s AND producer = %(producer)s
GROUP BY day
ORDER BY day
"""

_PAGES = """
SELECT path, sum(views) AS of_all
FROM import_counts FINAL
WHERE site = %(site)s AND producer = %(producer)s
GROUP BY path
ORDER BY of_all DESC, path
LIMIT %(most)s
"""

# Views under `(other)` that were given back to their page count there, too.
_ENTRIES = f"""
INSERT INTO correction_entries (site, path, day, run, views, visits, visitors)
SELECT %(site)s, path, day, %(run)s, toInt64(sum(of_views)), toInt64(sum(of_visits)), toInt64(0)
FROM (
    SELECT path, day, toUInt64(views) AS of_views, toUInt64(visits) AS of_visits
    FROM import_counts FINAL
    WHERE site = %(site)s AND producer = %(producer)s
        AND day >= %(first)s AND day <= %(last)s
    UNION ALL
    SELECT path, day, toUInt64(1) AS of_views, toUInt64(visit = 1) AS of_visits
    FROM (
        SELECT path, day, visit, own_path
        FROM hits FINAL
        WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s
            AND position >= %(from)s AND position <= %(to)s
            AND position IN ({POSITIONS})
    )
    WHERE own_path != '' AND path = own_path
)
GROUP BY path, day
"""  # noqa: S608  # statements of ours

_MARK = f"""
INSERT INTO corrected_hits (site, day, position, idx, run)
SELECT %(site)s, day, position, idx, %(run)s
FROM hits
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s
    AND position >= %(from)s AND position <= %(to)s AND position IN ({POSITIONS})
"""  # noqa: S608  # statements of ours

_MARKS = f"""
SELECT run, uniqExact(position, idx), uniqExactIf(position, idx, position IN ({POSITIONS}))
FROM corrected_hits
WHERE site = %(site)s AND run IN %(runs)s
GROUP BY run
"""  # noqa: S608  # statements of ours


class ImportedDay(NamedTuple):
    """What an import added to a day, and between which positions."""

    day: int
    views: int
    visits: int
    first: int
    last: int


class MarkedHits(NamedTuple):
    """How many hits a correction has marked, in all and of an import."""

    every: int
    of_import: int


async def write(store: Store, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write rows given as columns, `day` in days since 1970-01-01. Raises StoreError."""
    await store.insert("import_counts", columns)


async def held(
    store: Store, producers: Collection[tuple[str, str]], first: int, last: int
) -> set[tuple[str, int]]:
    """Return the entries, as (site, position), between two positions that the table has.

    `producers` are pairs of site and producer. An entry is there as a whole or not at all. Raises
    StoreError.
    """
    sites, names = ({pair[part] for pair in producers} for part in (0, 1))
    parameters = {"sites": sorted(sites), "producers": sorted(names), "first": first, "last": last}
    rows = await store.execute_by_site(_HELD, parameters, keys="sites")
    return {(site, position) for site, position in rows}


async def of_imports(store: Store, entries: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return which entries of the log, as (site, position), are from imports. Raises StoreError."""
    rest, imported = iter(sorted(entries)), set[tuple[str, int]]()
    while chunk := list(islice(rest, ENTRIES_A_QUERY)):
        rows = await store.execute(_OF_IMPORTS, {"entries": chunk})
        imported |= {(site, position) for site, position in rows}
    return imported


async def days(store: Store, site: str, producer: str) -> list[ImportedDay]:
    """Return what an import added, by day. Raises StoreError."""
    rows = await store.execute(_DAYS, {"site": site, "producer": producer})
    return [ImportedDay(to_day(day), *rest) for day, *rest in rows]


async def pages(store: Store, site: str, producer: str, most: int) -> list[tuple[str, int]]:
    """Return the pages with the most views from an import, and the views. Raises StoreError."""
    rows = await store.execute(_PAGES, {"site": site, "producer": producer, "most": most})
    return [(path, views) for path, views in rows]


async def take_back(
    store: Store, site: str, producer: str, run: str, of: Sequence[ImportedDay]
) -> None:
    """Mark the raw hits of an import, and write entries of its pages. Raises StoreError.

    Neither counts until the run has a row in the ledger; written twice, both are the same. Month by
    month: current servers refuse an insert of more than 100 partitions, and a statement that reads
    as many needs more memory than it may have.
    """
    first, last = of[0].day, of[-1].day
    parameters = {
        "site": site,
        "producer": producer,
        "run": run,
        "from": min(each.first for each in of),
        "to": max(each.last for each in of),
    }
    for begin, end in months(first, last):
        of_month = {**parameters, "first": to_date(begin), "last": to_date(end - 1)}
        await store.execute(_MARK, of_month)
        await store.execute(_ENTRIES, of_month)


async def marks(
    store: Store, site: str, producer: str, runs: Collection[str]
) -> dict[str, MarkedHits]:
    """Return how many hits corrections have marked, by run. Raises StoreError."""
    parameters = {"site": site, "producer": producer, "runs": sorted(runs)}
    rows = await store.execute(_MARKS, parameters) if runs else []
    return {run: MarkedHits(*counts) for run, *counts in rows}
