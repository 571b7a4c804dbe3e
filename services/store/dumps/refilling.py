"""Empties a store, and fills it with rows that were read by `portable.dump`."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import msgspec

from services.store.counts import hits
from services.store.drivers import column_types
from services.store.dumps.portable import (
    BY_MONTH,
    DAILY_VISITORS,
    DERIVED,
    FORMER_VISITORS,
    META,
    RESTORE,
    columns_of,
    held_in,
    month_of,
    tables,
)
from services.store.interface import Store

_MONTH = len("2026-12")

_decoder = msgspec.json.Decoder(list[Any])


async def filled(store: Store) -> list[str]:
    """Return the tables that have rows beyond those of every new store."""
    return [
        name
        for name in await _all_tables(store)
        if name != META and await store.execute(f"SELECT 1 FROM {name} LIMIT 1")  # noqa: S608
    ]


async def empty(store: Store, version: int) -> None:
    """Remove every row of every table; the schema stays. Raises StoreError.

    The store is marked first, with this version, as having an unfinished restore. Until it is, only
    META is emptied: a store without it still has all its numbers.
    """
    await store.clear(META)
    await note_restore(store, "unfinished", version)
    for name in await _all_tables(store):
        if name != META:
            await store.clear(name)


async def _all_tables(store: Store) -> list[str]:
    return [*DERIVED, *await tables(store), DAILY_VISITORS, FORMER_VISITORS]


async def insert(store: Store, table: str, columns: Sequence[str], lines: bytes) -> None:
    """Insert rows as they were read by `dump`. Raises StoreError.

    An insert has one month only: current servers refuse one of more than 100 partitions.
    """
    rows = _decoder.decode_lines(lines)
    if not rows:
        return
    types = await columns_of(store, table)
    of_months: dict[str, list[Sequence[Any]]] = defaultdict(list)
    if table in BY_MONTH:
        day = columns.index("day")
        for row in rows:
            of_months[row[day][:_MONTH]].append(row)
    else:
        of_months[""] += rows
    for _, of_month in sorted(of_months.items()):
        await store.insert(held_in(table), _values(types, columns, of_month))


def _values(
    types: Mapping[str, str], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> dict[str, Sequence[Any]]:
    values: dict[str, Sequence[Any]] = {}
    for name, column in zip(columns, zip(*rows, strict=True), strict=True):
        match types.get(name):
            case "Date":
                values[name] = [_date(text) for text in column]
            case column_types.VISITORS:
                values[name] = [bytes.fromhex(text) for text in column]
            case _:
                values[name] = column
    return values


def months_in(columns: Sequence[str], lines: bytes) -> set[int]:
    """Return the months, as YYYYMM, that rows as read by `dump` are of."""
    day = columns.index("day")
    return {month_of(_date(row[day])) for row in _decoder.decode_lines(lines)}


async def clear_visitors(store: Store, months: Collection[int]) -> None:
    """Remove the visitors of months, as YYYYMM: those that were derived from raw hits.

    States that are merged with a part of what they hold have other bytes. Raises StoreError.
    """
    for month in await hits.months_of(store, DAILY_VISITORS):
        if month in months:
            await store.execute_ddl(f"ALTER TABLE {DAILY_VISITORS} DROP PARTITION {month}")


@lru_cache(maxsize=4096)
def _date(text: str) -> date:
    return date.fromisoformat(text)


async def note_restore(store: Store, state: str, version: int) -> None:
    """Write whether a restore is 'unfinished' or 'done'; the higher version counts."""
    await store.insert(META, {"name": [RESTORE], "version": [version], "value": [state]})


async def restore_state(store: Store) -> str | None:
    """Return what `note_restore` wrote last."""
    rows = await store.execute(
        "SELECT argMax(value, version) FROM meta WHERE name = %(name)s HAVING count() > 0",
        {"name": RESTORE},
    )
    return rows[0][0] if rows else None
