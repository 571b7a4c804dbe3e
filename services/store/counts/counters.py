"""Counter rows: how many views and visits a path had in a period, up to a position of the log."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

from services.model.calendar import to_date, to_day
from services.store.interface import InsertColumn, Store

_POSITIONS = """
SELECT site, max(position)
FROM (
    SELECT site, position FROM counters WHERE grain = 'total' AND path = ''
    UNION ALL
    SELECT name AS site, position FROM erasures
)
GROUP BY site
"""

CounterKey = tuple[str, str, int, str]
"""Site, grain, first day of the period in days since 1970-01-01, path ('' for the whole site)."""
CounterRow = tuple[int, int, int]
"""Views, visits, and the position of the last batch that is counted in them."""

ABSENT: CounterRow = (0, 0, -1)
"""The row for a key that has none."""

KEYS_A_QUERY = 4_000

# The key columns are compared directly, without functions, so that the index is used.
_LOAD = """
SELECT site, grain, start, path, argMax(views, position), argMax(visits, position), max(position)
FROM counters
WHERE (site, grain, start, path) IN %(keys)s
GROUP BY site, grain, start, path
"""


async def load(store: Store, keys: Collection[CounterKey]) -> dict[CounterKey, CounterRow]:
    """Return the newest row of each key that has one."""
    rows: dict[CounterKey, CounterRow] = {}
    for chunk in _chunks(keys):
        named = [(site, grain, to_date(start), path) for site, grain, start, path in chunk]
        for site, grain, start, path, *row in await store.execute_by_site(
            _LOAD, {"keys": named}, keys="keys"
        ):
            views, visits, position = row
            rows[site, grain, to_day(start), path] = (views, visits, position)
    return rows


async def positions(store: Store) -> dict[str, int]:
    """Return the position of the newest counter row of each site, erased ones included."""
    return dict(await store.execute(_POSITIONS))


async def write(store: Store, rows: Mapping[CounterKey, CounterRow]) -> None:
    """Write rows; among rows with the same key the one with the highest position counts."""
    if rows:
        await write_columns(store, columns(rows))


async def write_columns(store: Store, values: Mapping[str, InsertColumn]) -> None:
    """Write rows given as columns.

    In one insert: concurrent readers see all of a flush or nothing of it. Backups and recounts
    rely on that.
    """
    await store.insert("counters", values)


def columns(rows: Mapping[CounterKey, CounterRow]) -> dict[str, list[Any]]:
    """Return rows as columns of the table."""
    keys, counts = rows.keys(), rows.values()
    return {
        "site": [site for site, _, _, _ in keys],
        "grain": [grain for _, grain, _, _ in keys],
        "start": [start for _, _, start, _ in keys],
        "path": [path for _, _, _, path in keys],
        "views": [views for views, _, _ in counts],
        "visits": [visits for _, visits, _ in counts],
        "position": [position for _, _, position in counts],
    }


def _chunks(keys: Collection[CounterKey]) -> Iterator[list[CounterKey]]:
    # Sorted, so that the keys of one query are close together in the table.
    rest = iter(sorted(set(keys)))
    while chunk := list(islice(rest, KEYS_A_QUERY)):
        yield chunk
