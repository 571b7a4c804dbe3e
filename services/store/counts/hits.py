"""Raw hits: every hit of the log, for recounts, queries and repair."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from services.model.calendar import Grain, period_start, to_date, to_day
from services.store.counts import corrections
from services.store.interface import InsertColumn, Store

LEAST_DAYS = 32
"""For how many days raw hits are kept at least."""
OLD_COLUMNS = ("site", "day", "visitor", "bot")
"""What is counted for a hit that is too old to be stored."""

_HELD = """
SELECT site, position, uniqExact(idx)
FROM hits
WHERE site IN %(sites)s
  AND day BETWEEN %(first_day)s AND %(last_day)s
  AND position BETWEEN %(first)s AND %(last)s
GROUP BY site, position
"""

_LAST_VIEW = """
SELECT max(at)
FROM hits
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND bot = 0 {left}
"""

_MARKS = ("corrected_hits", "moved_visits", "ended_visits", "ended_pages", "ended_days")
"""Tables about single hits or derived from them, which are dropped with them."""

_MONTHS = """
SELECT DISTINCT partition
FROM {parts}
WHERE database = currentDatabase() AND table = %(table)s AND active
"""


async def write(store: Store, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write hits given as columns, `day` in days since 1970-01-01; one insert per month.

    An insert of one month is one part of the table: it is there as a whole or not at all.
    """
    await _write_by_month(store, "hits", columns)


async def write_month(store: Store, columns: Mapping[str, InsertColumn]) -> None:
    """Write hits of one month; see `write`."""
    await store.insert("hits", columns)


async def count_visitors(store: Store, columns: Mapping[str, Sequence[Any]]) -> None:
    """Count the visitors of hits that are too old to be stored; idempotent."""
    await _write_by_month(store, "old_hits", {name: columns[name] for name in OLD_COLUMNS})


async def count_visitors_of_month(store: Store, columns: Mapping[str, InsertColumn]) -> None:
    """Count the visitors of hits of one month, given by OLD_COLUMNS; see `count_visitors`."""
    await store.insert("old_hits", columns)


async def _write_by_month(store: Store, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
    days = columns["day"]
    months = sorted({period_start(day, Grain.MONTH) for day in set(days)})
    if len(months) < 2:
        await store.insert(table, columns)
        return
    for month in months:
        rows = [row for row, day in enumerate(days) if period_start(day, Grain.MONTH) == month]
        await store.insert(
            table, {name: [values[row] for row in rows] for name, values in columns.items()}
        )


async def held(
    store: Store, sites: Collection[str], first: int, last: int, days: tuple[int, int]
) -> dict[tuple[str, int], int]:
    """Return how many hits of each batch the table holds, as (site, position) → hits.

    Looks at positions first..last and at days days[0]..days[1], all inclusive; a batch without
    any hit in the table is left out. A hit written twice is one hit.
    """
    if not sites:
        return {}
    rows = await store.execute_by_site(
        _HELD,
        {
            "sites": sorted(sites),
            "first_day": to_date(days[0]),
            "last_day": to_date(days[1]),
            "first": first,
            "last": last,
        },
        keys="sites",
    )
    return {(site, position): hits for site, position, hits in rows}


async def last_view(store: Store, site: str, first: int, last: int) -> int | None:
    """Return when the last view of some days that no correction takes was, in ms since 1970.

    None if there is none. Raises StoreError.
    """
    parameters = {"site": site, "first": to_date(first), "last": to_date(last)}
    statement = _LAST_VIEW.format(left=await corrections.left(store, parameters))
    ((at_ms,),) = await store.execute(statement, parameters)
    return at_ms or None


async def drop_months_before(store: Store, day: int) -> list[int]:
    """Drop every month that ends before a day; return the months dropped, as YYYYMM.

    A partition is dropped at once and as a whole. Dropping it again does no harm.
    """
    oldest = to_date(day)
    first_kept = oldest.year * 100 + oldest.month
    dropped = set()
    for table in ("hits", *_MARKS):
        for month in [month for month in await months_of(store, table) if month < first_kept]:
            await store.execute_ddl(f"ALTER TABLE {table} DROP PARTITION {month}")
            dropped.add(month)
    return sorted(dropped)


async def first_day(store: Store) -> int | None:
    """Return the first day of the oldest month that has hits, of any site; None without hits."""
    months = await months_of(store, "hits")
    return to_day(date(months[0] // 100, months[0] % 100, 1)) if months else None


async def months_of(store: Store, table: str) -> list[int]:
    """Return the months that a table partitioned by month has rows of, as YYYYMM, in order."""
    rows = await store.execute(
        _MONTHS.format(parts=store.system("parts")), {"table": store.stored(table)}
    )
    return sorted(int(text) for (text,) in rows)
