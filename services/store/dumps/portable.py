"""The rows of a store as JSON lines that any other store can load.

A line is one row as a JSON array: days as ISO dates, states of aggregates in hex.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import date
from hashlib import blake2b

import msgspec

from services.model.calendar import Grain
from services.model.partition import partition_of
from services.store.cluster import layout
from services.store.cluster.shards import OF_ALL_SITES
from services.store.interface import Row, Store, StoreError
from services.store.meta import last_done, log_identity
from services.store.migrations import migrations, partitions_of, schema_of

COUNTERS = "counters"
HITS = "hits"
IMPORT_COUNTS = "import_counts"
CORRECTIONS = "corrections"
VISITORS = "visitors"
"""Name in backups of the rows of DAILY_VISITORS."""
DAILY_VISITORS = "daily_visitors"
FORMER_VISITORS = "visitors"
"""The table whose rows were copied there; nothing reads or feeds it any more."""
META = "meta"
DERIVED = ("ended_days", "ended_pages", "ended_visits")
"""Tables that are made again from the others, in the order in which they are emptied.

The first one vouches for the rows of the others, so none of them is of use alone.
"""
BY_MONTH = frozenset({HITS, VISITORS, "corrected_hits", "moved_visits"})
"""The portable tables that are partitioned by month."""
RESTORE = "restore"
"""Name in META of the state of a restore: 'unfinished' until it is done."""

_FINGERPRINT_BITS = 64
# The earliest entry of an id counts, and ids may repeat in parts that were never merged.
_FIRST_BY = {"opening_balances": ("at", "site, id")}
_OF_THE_MACHINE = ", ".join(
    f"'{name}'" for name in (RESTORE, log_identity.NAME, layout.NAME, *last_done.NAMES)
)
_WITHOUT = {META: f"name NOT IN ({_OF_THE_MACHINE})"}


class Piece(msgspec.Struct, frozen=True, tag="piece"):
    """Some rows of one table; the pieces of one file are consecutive."""

    file: str
    table: str
    columns: tuple[str, ...]
    rows: int
    lines: bytes


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Approximately how many rows there are, for a progress bar."""

    rows: int


class End(msgspec.Struct, frozen=True, tag="end"):
    """The totals of all pieces.

    schema      number of the newest migration
    positions   partition → position; everything before it is in the rows, nothing at or after it
    """

    schema: int
    partitions: int
    positions: dict[int, int]


class Fingerprint:
    """Number of rows and a digest of them that does not depend on their order."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, lines: bytes) -> None:
        """Add whole lines."""
        for line in lines.splitlines():
            self.rows += 1
            self._sum += int.from_bytes(blake2b(line, digest_size=8).digest(), "big")

    def __str__(self) -> str:
        return f"{self._sum % (1 << _FINGERPRINT_BITS):016x}"


async def tables(store: Store) -> list[str]:
    """Return the tables whose rows are portable without conversion, but none of DERIVED."""
    rows = await store.execute(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND engine LIKE '%ReplacingMergeTree' AND name != 'migrations' ORDER BY name"
    )
    return [name for (stored,) in rows if (name := store.shown(stored)) not in DERIVED]


async def dump(
    store: Store,
    committed: Mapping[int, int] | None = None,
    *,
    visitors_of: Collection[int] | None = None,
) -> AsyncGenerator[Begin | Piece | End, None]:
    """Read everything, consistent at one position per partition, while the aggregator goes on.

    A flush writes its counter rows in one insert, after their raw hits. So one statement over
    the counters sees whole flushes; the highest position it sees is that of the partition, and
    raw hits beyond it are left out. `committed` are the positions committed to the log before
    this began; they may be higher if a partition had only bots. Raises StoreError.

    Shards are read one after the other, so each has rows up to a different position. What was
    committed is on all of them: the log is reread from there, and rows skip what they hold.

    visitors_of  the months, as YYYYMM, of whose visitors there are states; by default those whose
                 raw hits are not all there, so that the visitors cannot be derived from them
    """
    partitions = await partitions_of(store)
    if partitions is None:
        raise StoreError("the store is empty: it was never opened by the API or `luot migrate`")
    if await schema_of(store) < migrations()[-1].number:
        raise StoreError("the store has the schema of an earlier Luot: run `luot migrate`")
    await store.verify()
    names = await tables(store)
    yield Begin(await _count(store, names))
    # First, so that what a correction takes is among the hits and the entries that follow.
    async with aclosing(_read(store, CORRECTIONS, CORRECTIONS, _select(CORRECTIONS))) as pieces:
        async for piece, _ in pieces:
            yield piece
    limits = _Limits(partitions, committed or {})
    async with aclosing(_read(store, COUNTERS, COUNTERS, _final(COUNTERS))) as pieces:
        async for piece, rows in pieces:
            limits.note(rows, piece.columns)
            yield piece
    whole: list[int] = []
    for month in await _months(store):
        views = 0
        file = f"{HITS}-{month // 100}-{month % 100:02}"
        sql = f"{_final(HITS)} WHERE toYYYYMM(day) = {month:d}"
        async with aclosing(_read(store, file, HITS, sql, limits)) as pieces:
            async for piece, rows in pieces:
                bot = piece.columns.index("bot")
                views += sum(not row[bot] for row in rows)
                yield piece
        if views == limits.views[month]:
            whole.append(month)
    for name in names:
        if name not in (COUNTERS, HITS, CORRECTIONS):
            of_log = limits if name == IMPORT_COUNTS else None
            async with aclosing(_read(store, name, name, _select(name), of_log)) as pieces:
                async for piece, _ in pieces:
                    yield piece
    states = _states("NOT IN", whole) if visitors_of is None else _states("IN", visitors_of)
    async with aclosing(_read(store, VISITORS, VISITORS, states)) as pieces:
        async for piece, _ in pieces:
            yield piece
    is_sharded = len(await store.shards()) > 1
    reached = limits.committed if is_sharded else limits.next
    yield End(await schema_of(store), partitions, dict(reached))


class _Limits:
    """Up to which position each partition is held, and how many views the counters have by month.

    views  month, as YYYYMM → views of all sites
    """

    def __init__(self, partitions: int, committed: Mapping[int, int]) -> None:
        self._partitions = partitions
        self._of_site: dict[str, int] = {}
        self.committed = committed
        self.next = dict(committed)
        self.views: Counter[int] = Counter()

    def _partition(self, site: str) -> int:
        partition = self._of_site.get(site)
        if partition is None:
            partition = self._of_site[site] = partition_of(site, self._partitions)
        return partition

    def note(self, rows: Sequence[Row], columns: Sequence[str]) -> None:
        site, position = columns.index("site"), columns.index("position")
        path, grain, start, views = map(columns.index, ("path", "grain", "start", "views"))
        highest: dict[str, int] = {}
        for row in rows:
            if row[position] > highest.get(row[site], -1):
                highest[row[site]] = row[position]
            if row[path] == "" and row[grain] == Grain.DAY:
                self.views[month_of(row[start])] += row[views]
        for name, at in highest.items():
            partition = self._partition(name)
            self.next[partition] = max(self.next.get(partition, 0), at + 1)

    def within(self, rows: Sequence[Row], columns: Sequence[str]) -> list[Row]:
        site, position = columns.index("site"), columns.index("position")
        ends: dict[str, int] = {}
        included = []
        for row in rows:
            end = ends.get(row[site])
            if end is None:
                end = ends[row[site]] = self.next.get(self._partition(row[site]), 0)
            if row[position] < end:
                included.append(row)
        return included


async def _read(
    store: Store, file: str, table: str, sql: str, limits: _Limits | None = None
) -> AsyncGenerator[tuple[Piece, Sequence[Row]], None]:
    columns = tuple(await columns_of(store, table))
    listed = ", ".join(columns)
    if table == VISITORS:
        listed = "site, day, hex(CAST(visitors AS String))"
    # The backup includes files without rows: they say that there were none.
    yield Piece(file, table, columns, 0, b""), ()
    for shard in (store,) if table in OF_ALL_SITES else await store.shards():
        async with aclosing(shard.stream(sql.format(columns=listed))) as blocks:
            async for block in blocks:
                # In a thread: the process may have other requests to answer in the meantime.
                rows, lines = await asyncio.to_thread(_encode, block, columns, limits)
                if rows:
                    yield Piece(file, table, columns, len(rows), lines), rows


def _encode(
    block: list[Row], columns: Sequence[str], limits: _Limits | None
) -> tuple[list[Row], bytes]:
    rows = block if limits is None else limits.within(block, columns)
    return rows, msgspec.json.Encoder().encode_lines(rows)


def _final(table: str) -> str:
    return f"SELECT {{columns}} FROM {table} FINAL"  # noqa: S608  # the name of a table of ours


def _select(table: str) -> str:
    if table in _FIRST_BY:
        first, key = _FIRST_BY[table]
        return (
            "SELECT {columns} FROM"  # noqa: S608  # names of ours
            f" (SELECT * FROM {table} ORDER BY {first}) LIMIT 1 BY {key}"
        )
    return f"{_final(table)} WHERE {_WITHOUT[table]}" if table in _WITHOUT else _final(table)


def _states(which: str, months: Collection[int]) -> str:
    """Select the visitors of months, or of all others."""
    known = ", ".join(map(str, sorted(months))) or "0"
    return (
        "SELECT {columns} FROM"  # noqa: S608  # numbers of ours
        " (SELECT site, day, uniqCombinedMergeState(visitors) AS visitors"
        f" FROM {DAILY_VISITORS} WHERE toYYYYMM(day) {which} ({known}) GROUP BY site, day)"
    )


def month_of(day: date) -> int:
    """Return the month of a day, as YYYYMM."""
    return day.year * 100 + day.month


async def columns_of(store: Store, table: str) -> dict[str, str]:
    """Return the columns of a table with their types."""
    rows = await store.execute(f"DESCRIBE TABLE {held_in(table)}")
    return {row[0]: row[1] for row in rows}


def held_in(table: str) -> str:
    """Return the table of the store that holds the rows of a table in a backup."""
    return DAILY_VISITORS if table == VISITORS else table


async def _months(store: Store) -> list[int]:
    rows = await store.execute("SELECT DISTINCT toYYYYMM(day) AS month FROM hits ORDER BY month")
    return [month for (month,) in rows]


async def _count(store: Store, names: Sequence[str]) -> int:
    counts: Counter[str] = Counter()
    for name in names:
        ((counts[name],),) = await store.execute(f"SELECT count() FROM {name}")  # noqa: S608
    return counts.total()
