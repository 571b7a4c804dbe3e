"""Several hosts, of which one is used: rows are read where they are written.

A row loaded from a lagging host and written back with a higher position would be too low for good.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from services.store.interface import (
    InsertColumn,
    Limits,
    Row,
    Store,
    StoreError,
    StoreUnavailableError,
)

T = TypeVar("T")

Lag = Callable[[Store, bool], Awaitable[str | None]]
"""Returns what a host lacks, or None; the flag is true for the first host of the URL."""

log = logging.getLogger(__name__)


class OneHostStore(Store):
    """The first host that answers and lacks nothing; fails over only when it does not answer."""

    is_one_server = False

    def __init__(self, hosts: Sequence[Store], lag: Lag, name: str = "") -> None:
        """Prepare; `name` is what they are hosts of, for people."""
        self._hosts = hosts
        self._name = name
        self._lag = lag
        self._current: Store | None = None
        self._doubted = False
        self._choosing = asyncio.Lock()

    async def verify(self) -> None:
        """Make sure that the host in use lacks nothing. Raises StoreError.

        If it does, it is dropped; the next call looks for another.
        """
        current = await self.chosen()
        if problem := await self._lag(current, current is self._hosts[0]):
            self._current = None
            raise StoreUnavailableError(f"{current!r}: {problem}")

    async def prepare(self) -> None:
        """See Store."""
        await self.call(lambda host: host.prepare())

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """See Store."""
        return await self.call(lambda host: host.execute(sql, parameters))

    async def stream(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[list[Row], None]:
        """See Store."""
        async with aclosing((await self.chosen()).stream(sql, parameters)) as blocks:
            async for block in blocks:
                yield block

    async def insert(self, table: str, columns: Mapping[str, InsertColumn]) -> None:
        """See Store."""
        await self.call(lambda host: host.insert(table, columns))

    def limited(self, limits: Limits) -> "OneHostStore":
        """See Store."""
        hosts = [host.limited(limits) for host in self._hosts]
        return OneHostStore(hosts, self._lag, self._name)

    async def close(self) -> None:
        """See Store."""
        await asyncio.gather(*(host.close() for host in self._hosts))

    async def call(self, call: Callable[[Store], Awaitable[T]]) -> T:
        """Call the host in use; one that does not answer becomes suspect."""
        host = await self.chosen()
        try:
            return await call(host)
        except StoreUnavailableError:
            self._doubted = True
            raise

    async def chosen(self) -> Store:
        """Return the host in use; choose one if there is none. Raises StoreUnavailableError."""
        async with self._choosing:
            if self._current is not None and self._doubted:
                problem = await _silence(self._current)
                self._doubted = False
                if problem is None:
                    return self._current
                log.warning("%r does not answer; looking for another host", self._current)
                self._current = None
            if self._current is None:
                self._current = await self._choose()
            return self._current

    async def states(self) -> list[tuple[Store, str | None]]:
        """Return why each host cannot be used; None for one that can."""
        problems = await asyncio.gather(*map(self._problem, self._hosts))
        return list(zip(self._hosts, problems, strict=True))

    async def _problem(self, host: Store) -> str | None:
        return await _silence(host) or await self._lag(host, host is self._hosts[0])

    async def _choose(self) -> Store:
        problems = []
        for host in self._hosts:
            problem = await self._problem(host)
            if problem is None:
                log.warning("the store is read and written at %r", host)
                return host
            problems.append(f"{host!r}: {problem}")
        if self._name:
            raise StoreUnavailableError(
                f"no server of {self._name} can be used: {'; '.join(problems)}"
            )
        raise StoreUnavailableError(f"no host can be used: {'; '.join(problems)}")


async def _silence(host: Store) -> str | None:
    """Return why a host does not answer; None when it does."""
    try:
        await host.execute("SELECT 1")
    except StoreUnavailableError as error:
        return str(error)
    except StoreError:
        # It has no database yet.
        return None
    return None
