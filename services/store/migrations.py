"""Migrates the schema of a store, and enforces what was fixed when it was created."""

import re
import time
from collections.abc import Callable
from importlib.resources import files

import msgspec

from services.store.cluster import replication
from services.store.counts import hits
from services.store.interface import Store, StoreError, StoreUnavailableError

_NAME = re.compile(r"(?P<number>\d{3})_[a-z0-9_]+\.sql")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
# ClickHouse 18.16 has no IF NOT EXISTS for columns, so it is checked here.
_ADD_COLUMN = re.compile(
    r"(ALTER TABLE (\w+)(?: ON CLUSTER \w+)? ADD COLUMN) IF NOT EXISTS ((\w+) .+)", re.DOTALL
)
# One statement for all of it would write more partitions at once than current servers take.
_COPY_BY_MONTH = re.compile(
    r"INSERT INTO \w+ SELECT .+ FROM (?P<table>\w+)\s+WHERE toYYYYMM\(day\) = %\(month\)s",
    re.DOTALL,
)
_TRUNCATE = re.compile(r"TRUNCATE TABLE IF EXISTS (?P<table>\w+)")
_ENGINE = "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = %(table)s"
_PARTITIONS_OF = """
SELECT DISTINCT partition
FROM system.parts
WHERE database = currentDatabase() AND table = %(table)s AND active
"""
_PARTITIONS = "partitions"
# In the table `meta` the highest version of a name wins, so the earliest writer has the highest.
_FIRST_WINS = 1 << 62

_RECORDS = """
CREATE TABLE IF NOT EXISTS migrations (number UInt32, name String)
ENGINE = ReplacingMergeTree()
ORDER BY number
"""


class SchemaError(StoreError):
    """This store was created by a newer Luot, or with another setting."""


class Migration(msgspec.Struct, frozen=True):
    """One numbered file of statements."""

    number: int
    name: str
    statements: tuple[str, ...]


def migrations() -> list[Migration]:
    """Return the migrations that this version of Luot knows, in order."""
    known = [
        Migration(int(match["number"]), file.name, statements(file.read_text("utf-8")))
        for file in (files(__package__) / "schema").iterdir()
        if (match := _NAME.fullmatch(file.name))
    ]
    return sorted(known, key=lambda migration: migration.number)


def statements(script: str) -> tuple[str, ...]:
    """Split a script at each semicolon that ends a line; comments are dropped."""
    parts = re.split(r";\s*$", _COMMENT.sub("", script), flags=re.MULTILINE)
    return tuple(part.strip() for part in parts if part.strip())


async def migrate(
    store: Store,
    known: list[Migration] | None = None,
    *,
    begin: Callable[[str, int], None] = lambda _name, _servers: None,
) -> list[str]:
    """Apply what the store lacks, in order, and return the names of what was applied.

    begin  called with each migration that begins, and the number of servers that have to run it

    May run in several processes at once, and again after a crash halfway: every statement creates
    only what is missing. If nothing is missing, a read-only account suffices. Raises SchemaError
    when the store's schema is newer than `known`.
    """
    known = migrations() if known is None else known
    await store.prepare()
    ((recording,),) = await store.execute("EXISTS TABLE migrations")
    if not recording:
        await store.check_servers()
        await store.execute_ddl(_RECORDS)
    rows = await store.execute("SELECT number, any(name) FROM migrations GROUP BY number")
    recorded: dict[int, str] = dict(rows)
    newest = max((migration.number for migration in known), default=0)
    if newer := sorted(name for number, name in recorded.items() if number > newest):
        raise SchemaError(
            f"the store has the schema of a newer Luot ({', '.join(newer)}); this one knows it up"
            f" to number {newest}: run the newer version, or restore a backup made before it"
        )
    # Even if nothing is lacking: this verifies that there is a cluster of that name.
    servers = await store.servers()
    lacking = [migration for migration in known if migration.number not in recorded]
    if lacking and recording:
        await store.check_servers()
    # A new store records them all at once: each record is a part on disk.
    steps = [[migration] for migration in lacking] if recorded else [lacking]
    for step in steps:
        for migration in step:
            begin(migration.name, len(servers))
            for statement in migration.statements:
                for one in store.ddl(statement):
                    for owner in await store.owners(one):
                        await _run(owner, one.sql)
        numbers = [migration.number for migration in step]
        names = [migration.name for migration in step]
        await store.insert("migrations", {"number": numbers, "name": names})
    return [migration.name for migration in lacking]


async def _run(store: Store, statement: str) -> None:
    if copying := _COPY_BY_MONTH.fullmatch(statement):
        await _copy(store, statement, store.shown(copying["table"]))
        return
    if (emptying := _TRUNCATE.fullmatch(statement)) and await _is_replicated(
        store, emptying["table"]
    ):
        await _empty(store, emptying["table"])
        return
    adding = _ADD_COLUMN.fullmatch(statement)
    if adding is None:
        await store.execute(statement)
        return
    begin, table, column, name = adding.groups()
    if await _has_column(store, table, name):
        return
    try:
        await store.execute(f"{begin} {column}")
    except StoreError:
        # Another process may have been first.
        if not await _has_column(store, table, name):
            raise


async def _copy(store: Store, statement: str, table: str) -> None:
    """Copy the rows of a table month by month. Raises StoreUnavailableError if some are lacking."""
    if problem := await replication.lacking(store):
        raise StoreUnavailableError(f"a migration cannot copy {table}: {problem}")
    for month in await hits.months_of(store, table):
        await store.execute(statement, {"month": month})


async def _is_replicated(store: Store, table: str) -> bool:
    rows = await store.execute(_ENGINE, {"table": table})
    return any(engine.startswith("Replicated") for (engine,) in rows)


async def _empty(store: Store, table: str) -> None:
    """Remove the rows of a replicated table. Raises StoreUnavailableError if some are lacking.

    In ClickHouse 18.16, TRUNCATE of such a table and a merge of it deadlock.
    """
    if problem := await replication.lacking(store):
        raise StoreUnavailableError(f"a migration cannot empty {store.shown(table)}: {problem}")
    for (partition,) in await store.execute(_PARTITIONS_OF, {"table": table}):
        await store.execute(f"ALTER TABLE {table} DROP PARTITION {partition}")


async def _has_column(store: Store, table: str, name: str) -> bool:
    return name in {row[0] for row in await store.execute(f"DESCRIBE TABLE {table}")}


async def schema_of(store: Store) -> int:
    """Return the number of the newest migration of a store."""
    ((number,),) = await store.execute("SELECT max(number) FROM migrations")
    return int(number)


async def partitions_of(store: Store) -> int | None:
    """Return the number of partitions that a store was created for; None for a new one."""
    values = await _partitions(store)
    return values[0] if values else None


async def fix_partitions(store: Store, partitions: int) -> None:
    """Fix the store's number of partitions to the one it was first opened with.

    Positions of different partitions are not comparable, so a site must stay in its own. Raises
    SchemaError with both numbers when the store was created for another.
    """
    values = await _partitions(store)
    if not values:
        version = _FIRST_WINS - time.time_ns()
        await store.insert(
            "meta", {"name": [_PARTITIONS], "version": [version], "value": [str(partitions)]}
        )
        # Of two processes that do this at once for different numbers, the one that reads last
        # sees both: so at most one goes on.
        values = await _partitions(store)
        if len(values) > 1:
            raise SchemaError(
                f"LUOT_PARTITIONS={partitions}, but another process is making this store for"
                f" another number at this moment ({' and '.join(map(str, values))});"
                " set one number everywhere"
            )
    stored = values[0]
    if stored != partitions:
        raise SchemaError(
            f"LUOT_PARTITIONS={partitions}, but this store was made for {stored} partitions, which"
            f" cannot be changed; set LUOT_PARTITIONS={stored}"
        )


async def _partitions(store: Store) -> list[int]:
    """Return every number that was written, the one in force first."""
    rows = await store.execute(
        "SELECT value, max(version) AS newest FROM meta WHERE name = %(name)s"
        " GROUP BY value ORDER BY newest DESC, value",
        {"name": _PARTITIONS},
    )
    return [int(value) for value, _ in rows]
