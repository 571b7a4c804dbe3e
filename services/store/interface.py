"""One small interface to ClickHouse; the drivers behind it are chosen by URL."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

Row = tuple[Any, ...]


class StoreError(Exception):
    """The store refuses this statement, and would again."""


class StoreUnavailableError(StoreError):
    """Not now (down, restarting, read-only, full): the same call may work later."""


class Store(ABC):
    """Execute, insert columns, close. Every call may be made from any task of an event loop.

    A driver reconnects and repeats a call that never reached the server; nothing else does.
    """

    @abstractmethod
    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one statement and return its rows.

        `%(name)s` in the statement stands for a parameter: str, int, float, date, or a list or
        tuple of them, tuples nested for `IN`. A literal percent sign is written `%%` when there
        are parameters. Dates come back as datetime.date, strings as str, integers as int.
        Raises StoreUnavailableError or StoreError.
        """

    @abstractmethod
    async def insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Insert rows given as columns of one length; all are in the table when this returns.

        Dates may be given as datetime.date or as days since 1970-01-01. An insert into a
        partitioned table should hold one month only. Raises StoreUnavailableError or StoreError.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close every connection."""
