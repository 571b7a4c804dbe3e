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
        """Return them as settings of a session; what can be put on the disk is, half-way.

        Groups of more than a few megabytes are gone through a part at a time.
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
    """A statement that makes, changes or empties a table.

    changes   the stored table that it changes or empties, if it makes or drops none
    by_shard  whether it is for a server of each shard, and not for one alone
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
    """Whether an insert of a table by site may have a NativeColumn."""

    @abstractmethod
    async def prepare(self) -> None:
        """Create the database that the tables live in, where it is missing."""

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
        """Run a statement each of whose rows is of one site, where rows of that site are written.

        Of tables by site it may read by name only: no view, and none in another database. The
        order of the rows is that of the statement on each shard.

        keys  the parameter that names all sites it asks for: a list of them, or of tuples that
              begin with one
        """
        return await self.execute(sql, parameters)

    async def shards(self) -> "Sequence[Store]":
        """Return a store for each shard, of its sites alone; this one where there are none."""
        return (self,)

    async def servers(self) -> "Sequence[Store]":
        """Return a store for each server, to ask it for itself; they are closed with this one."""
        return (self,)

    async def verify(self) -> None:  # noqa: B027  # one server has all that was written to it
        """Make sure that what will be read is all that was ever written. Raises StoreError."""

    async def check_servers(self) -> None:  # noqa: B027  # one server says itself what it lacks
        """Make sure that a statement of `ddl` reaches all servers, rather than wait for them.

        Raises StoreUnavailableError, or StoreError where a server is not configured for it.
        """

    async def fix_shards(self) -> None:  # noqa: B027  # one server has none
        """Make sure that the shards are those over which rows were spread. Raises StoreError."""

    def ddl(self, statement: str) -> tuple[Ddl, ...]:
        """Return the statements that make, change or empty a table wherever its rows are."""
        return (Ddl(statement),)

    async def owners(self, statement: Ddl) -> "Sequence[Store]":
        """Return the stores that have to run a statement of `ddl`; all of one schema."""
        return (self,)

    def stored(self, table: str) -> str:
        """Return the name that a table has where its rows are."""
        return table

    def shown(self, stored: str) -> str:
        """Return the name by which the rows of a stored table are read and written."""
        return stored

    def system(self, table: str) -> str:
        """Return what stands behind FROM to read a table of `system`, of each shard."""
        return f"system.{table}"

    async def execute_ddl(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that makes, changes or empties a table, wherever its rows are."""
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

        For results that do not fit memory. A statement sees each table as it is when it begins,
        however long it takes. Who does not read to the end must close the generator. Raises
        StoreUnavailableError or StoreError, also in the middle.
        """

    @abstractmethod
    async def insert(self, table: str, columns: Mapping[str, InsertColumn]) -> None:
        """Insert rows given as columns of one length; all are in the table when this returns.

        Dates may be given as datetime.date or as days since 1970-01-01. An insert into a
        partitioned table should hold one month only. Raises StoreUnavailableError or StoreError.
        """

    @abstractmethod
    def limited(self, limits: Limits) -> "Store":
        """Return the same store with sessions of its own, whose statements have limits.

        It holds up nobody else, and is closed for itself. A statement that reaches a limit raises
        LimitError.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close every connection; calls under way end first."""
