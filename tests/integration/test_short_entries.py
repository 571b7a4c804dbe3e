"""Entries become short once no reader of before is left, and a log may have both forms."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from services.aggregator.transport.redis import RedisBroker
from services.log import keys
from services.log.admin import PLACE, copies_of
from services.log.entries import Batcher, LogEntry
from services.log.interface import Log
from services.log.open import open_log
from services.log.redis import short_form
from services.model.hit import Hit
from tests.patience import rounds
from tests.servers.redis import RedisServer

PARTITIONS = 1
GROUP = "luot"
TTL = 10.0
BEFORE = "host-17-c0ffee"
"""A worker of a version without short entries."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(started: RedisServer) -> RedisServer:
    with started.client() as client:
        client.flushall()
    return started


@pytest.fixture
async def log(server: RedisServer) -> AsyncIterator[Log]:
    log = open_log(server.url, partitions=PARTITIONS)
    yield log
    await log.close()


@pytest.fixture
async def broker(server: RedisServer) -> AsyncIterator[RedisBroker]:
    broker = RedisBroker(server.url, GROUP)
    yield broker
    await broker.close()


def noted(server: RedisServer) -> bool:
    with server.client() as client:
        return bool(client.exists(keys.SHORT))


def names(server: RedisServer) -> list[set[bytes]]:
    """Return the names of the fields of each entry in the log."""
    with server.client() as client:
        return [set(fields) for _, fields in client.xrange(keys.stream(0))]


class Writer:
    """Appends a hit at a time."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.given: list[LogEntry] = []
        self._producer = log.producer()
        self._batcher = Batcher(PARTITIONS)

    async def write(self) -> None:
        hit = Hit(site="mytho", path=f"/{len(self.given)}", at=1, day=1)
        [entry] = self._batcher.prepare([hit])
        self.given.append(entry)
        await self._producer.append([entry])

    async def close(self) -> None:
        await self._producer.close()


async def test_short_entries_are_noted_after_a_minute_with_workers_that_read_them(
    server: RedisServer, broker: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await broker.workers("new", TTL) == ["new"]
    assert not noted(server)
    monkeypatch.setattr(short_form, "SETTLED_MS", 0)
    for _ in range(2):
        assert await broker.workers("new", TTL) == ["new"]
        assert noted(server)
        with server.client() as client:
            client.delete(keys.SHORT)


async def test_they_are_not_noted_while_a_worker_of_before_is_alive(
    server: RedisServer, broker: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_form, "SETTLED_MS", 0)
    with server.client() as client:
        key = keys.workers(GROUP)
        client.zadd(key, {BEFORE: client.time()[0] * 1000})
        assert await broker.workers("new", TTL) == [BEFORE, "new"]
        assert not noted(server)
        assert client.zrange(key, 0, -1) == [BEFORE.encode(), b"new+short"]
        client.zrem(key, BEFORE)
    await broker.workers("new", TTL)
    assert noted(server)


async def test_a_worker_that_leaves_is_no_worker(server: RedisServer, broker: RedisBroker) -> None:
    await broker.workers("new", TTL)
    await broker.release("new", [], leave=True)
    with server.client() as client:
        assert client.zrange(keys.workers(GROUP), 0, -1) == []


async def test_a_producer_goes_on_with_short_entries_when_they_are_noted(
    server: RedisServer, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_form, "LOOK_SECONDS", 0.0)
    writer = Writer(log)
    await writer.write()
    assert names(server) == [{b"v", b"n", b"p", b"s", b"b"}]
    with server.client() as client:
        client.set(keys.SHORT, 1)
    for _ in rounds(0.02):
        await writer.write()
        if names(server)[-1] == {b"e"}:
            break
        await asyncio.sleep(0.02)
    records = (await log.reader.read({0: 0}, limit=1000))[0]
    assert [record.value for record in records] == [entry.payload for entry in writer.given]
    assert [int(record.headers["s"]) for record in records] == [
        entry.sequence for entry in writer.given
    ]
    assert {tuple(record.headers) for record in records} == {("v", "n", "p", "s")}
    await writer.close()


async def test_an_entry_that_was_appended_in_one_form_is_not_appended_in_the_other(
    server: RedisServer, log: Log
) -> None:
    writer = Writer(log)
    await writer.write()
    with server.client() as client:
        client.set(keys.SHORT, 1)
    await log.check(unsafe_eviction=False)
    again = log.producer()
    await again.append(writer.given)
    await writer.write()
    await again.append(writer.given)
    assert names(server) == [{b"v", b"n", b"p", b"s", b"b"}, {b"e"}]
    await again.close()
    await writer.close()


async def test_a_short_entry_is_copied_with_the_place_that_it_had(
    server: RedisServer, log: Log
) -> None:
    with server.client() as client:
        client.set(keys.SHORT, 1)
    await log.check(unsafe_eviction=False)
    writer = Writer(log)
    await writer.write()
    [record] = (await log.reader.read({0: 0}, limit=10))[0]
    await log.admin.copy(0, copies_of([record]))
    [_, copied] = (await log.reader.read({0: 0}, limit=10))[0]
    assert copied.value == record.value
    assert int(copied.headers[PLACE]) == record.position
    assert copied.time_ms == record.time_ms
    assert copied.headers["p"] == record.headers["p"]
    await writer.close()


async def test_an_old_account_that_may_not_note_it_goes_on_without(
    server: RedisServer, broker: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_form, "SETTLED_MS", 0)
    with server.client() as client:
        client.acl_setuser(
            "before", enabled=True, nopass=True, keys=["hits:workers:*"], categories=["+@all"]
        )
    old = RedisBroker(server.url.replace("redis://", "redis://before:any@"), GROUP)
    assert await old.workers("new", TTL) == ["new"]
    assert not noted(server)
    await old.close()
