"""One small interface to ClickHouse; the drivers behind it are chosen by URL."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, NamedTuple

from services.store.native_column import NativeColumn

Row = tuple[Any, ...]
InsertColumn = Sequence[Any] | NativeColumn


class StoreError(Exception):
    """The store refuses this statement; a retry would fail too."""


class StoreUnavailableError(StoreError):
    """A temporary failure (down, restarting, read-only, full): a later retry may succeed."""


class LimitError(StoreUnavailableError):
    """The statement exceeded its limit of time or memory; a smaller one may succeed."""


_BLOCK_BYTES = 8_000_000


class Limits(NamedTuple):
    """What statements may take.

    calls    how many run at a time
    threads  of the store, for each
    seconds  each may run
    bytes    of memory each may hold
    """

    calls: int
    threads: int
    seconds: int
    bytes: int

    def settings(self) -> dict[str, int]:
        """Return them as settings of a session; beyond half the memory, what can spills to disk.

        Groups of more than a few megabytes are processed a part at a time.
        """
        return {
            "max_threads": self.threads,
            "max_execution_time": self.seconds,
            "max_memory_usage": self.bytes,
            "max_bytes_before_external_group_by": self.bytes // 2,
            "max_bytes_before_external_sort": self.bytes // 2,
            "group_by_two_level_threshold_bytes": _BLOCK_BYTES,
        }


class Ddl(NamedTuple):
    """A statement that creates, alters, empties or copies a table.

    changes   the stored table that it alters, empties or copies; none if it creates or drops one
    by_shard  whether it is for one server of each shard, not for a single one
    """

    sql: str
    changes: str = ""
    by_shard: bool = False


class Store(ABC):
    """Prepare, execute, insert columns, close. Every call may be made from any task of a loop.

    A driver reconnects and retries a call once if its connection was lost; nothing else retries.
    So every statement must be idempotent; all of Luot's are.
    """

    is_one_server: bool = True
    """Whether the same server is read and written, for as long as the store is open."""
    takes_native: bool = True
    """Whether an insert into a table by site may have a NativeColumn."""

    @abstractmethod
    async def prepare(self) -> None:
        """Create the database of the tables if it is missing."""

    @abstractmethod
    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one statement and return its rows.

        `%(name)s` in the statement stands for a parameter: str, int, float, date, or a list or
        tuple of them for `IN`, tuples nested for several columns. A literal percent sign is
        written `%%` when there are parameters. Dates come back as datetime.date, strings as str,
        integers as int. Raises StoreUnavailableError or StoreError.
        """

    async def execute_by_site(
        self, sql: str, parameters: Mapping[str, Any] | None = None, *, keys: str = ""
    ) -> list[Row]:
        """Run a statement each of whose rows is of one site, where that site's rows are written.

        It may read tables by site only by name: no view, and none in another database. The rows
        are in the statement's order within each shard.

        keys  the parameter that names all requested sites: a list of them, or of tuples that
              begin with one
        """
        return await self.execute(sql, parameters)

    async def shards(self) -> "Sequence[Store]":
        """Return a store for each shard, with its sites only; this one if there are no shards."""
        return (self,)

    async def servers(self) -> "Sequence[Store]":
        """Return a store for each server, to query it directly; they are closed with this one."""
        return (self,)

    async def verify(self) -> None:  # noqa: B027  # one server has all that was written to it
        """Make sure that what will be read is all that was ever written. Raises StoreError."""

    async def check_servers(self) -> None:  # noqa: B027  # one server says itself what it lacks
        """Make sure that a statement of `ddl` reaches all servers, rather than wait for them.

        Raises StoreUnavailableError, or StoreError if a server is not configured for it.
        """

    async def fix_shards(self) -> None:  # noqa: B027  # one server has none
        """Make sure that the shards are those over which rows were spread. Raises StoreError."""

    def ddl(self, statement: str) -> tuple[Ddl, ...]:
        """Return the statements that create, alter or empty a table wherever its rows are."""
        return (Ddl(statement),)

    async def owners(self, statement: Ddl) -> "Sequence[Store]":
        """Return the stores that have to run a statement of `ddl`; all have the same schema."""
        return (self,)

    def stored(self, table: str) -> str:
        """Return the name of the table that stores the rows of a table."""
        return table

    def shown(self, stored: str) -> str:
        """Return the name by which the rows of a stored table are read and written."""
        return stored

    def system(self, table: str) -> str:
        """Return the FROM expression for a table of `system`, over all shards."""
        return f"system.{table}"

    async def execute_ddl(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that creates, alters or empties a table, wherever its rows are."""
        for statement in self.ddl(sql):
            for owner in await self.owners(statement):
                await owner.execute(statement.sql, parameters)

    async def clear(self, table: str) -> None:
        """Remove all rows of a table."""
        await self.execute(f"TRUNCATE TABLE {table}")

    async def ping(self) -> None:
        """Return if the store answers. Raises StoreUnavailableError or StoreError."""
        await self.execute("SELECT 1")

    @abstractmethod
    def stream(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[list[Row], None]:
        """Run one statement and return its rows in blocks, as `execute` would return them.

        For results that do not fit in memory. A statement sees each table as it is when it begins,
        however long it takes. A caller that does not read to the end must close the generator.
        Raises StoreUnavailableError or StoreError, also halfway.
        """

    @abstractmethod
    async def insert(self, table: str, columns: Mapping[str, InsertColumn]) -> None:
        """Insert rows given as columns of one length; all are in the table when this returns.

        Dates may be given as datetime.date or as days since 1970-01-01. An insert into a
        partitioned table should hold one month only. Raises StoreUnavailableError or StoreError.
        """

    @abstractmethod
    def limited(self, limits: Limits) -> "Store":
        """Return the same store with its own sessions, whose statements have limits.

        It blocks nobody else, and is closed separately. A statement that exceeds a limit raises
        LimitError.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close every connection; running calls finish first."""
