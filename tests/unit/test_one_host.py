"""The host in use is checked after each new connection to it, and only then."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from services.store.interface import (
    InsertColumn,
    Limits,
    Row,
    Store,
    StoreError,
    StoreUnavailableError,
)
from services.store.one_host import OneHostStore


class Host(Store):
    """A host that counts its connections, and answers a read with its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problem: str | None = None
        self.checks = 0
        self.reads = 0
        self.restarted = True
        self._connections = 0

    @property
    def connections(self) -> int:
        return self._connections

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        if self.restarted:
            self.restarted = False
            self._connections += 1
        self.reads += sql == "READ"
        return [(self.name,)]

    async def prepare(self) -> None:
        raise StoreError("unused")

    def stream(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[list[Row], None]:
        raise StoreError("unused")

    async def insert(self, table: str, columns: Mapping[str, InsertColumn]) -> None:
        raise StoreError("unused")

    def limited(self, limits: Limits) -> Store:
        raise StoreError("unused")

    async def close(self) -> None:
        pass


async def lag(host: Store, _first: bool) -> str | None:
    assert isinstance(host, Host)
    host.checks += 1
    return host.problem


async def test_a_host_is_checked_only_after_a_new_connection() -> None:
    hosts = [Host("first"), Host("second")]
    store = OneHostStore(hosts, lag)
    for _ in range(5):
        assert await store.execute("READ") == [("first",)]
    first, second = hosts
    # The first check was on the first connection.
    assert (first.checks, second.checks) == (2, 0)
    first.restarted = True
    for _ in range(5):
        assert await store.execute("READ") == [("first",)]
    assert (first.checks, second.checks) == (3, 0)


async def test_what_a_restarted_host_answered_before_its_check_is_not_used() -> None:
    first, second = Host("first"), Host("second")
    store = OneHostStore([first, second], lag)
    await store.execute("READ")
    first.restarted, first.problem = True, "it lags"
    assert await store.execute("READ") == [("second",)]
    assert first.reads == 2
    second.restarted, second.problem = True, "it lags"
    with pytest.raises(StoreUnavailableError, match="it lags"):
        await store.execute("READ")


async def test_a_host_that_lacks_nothing_stays_in_use_when_an_earlier_one_is_back() -> None:
    first, second = Host("first"), Host("second")
    store = OneHostStore([first, second], lag)
    first.problem = "it lags"
    assert await store.execute("READ") == [("second",)]
    first.problem = None
    second.restarted = True
    assert await store.execute("READ") == [("second",)]
