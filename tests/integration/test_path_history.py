"""The aggregator publishes which pages have counters, also again when Redis has lost it."""

import asyncio
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.aggregator import path_history as publishing
from services.aggregator.path_history import HistoryPublisher
from services.model.partition import partition_of
from services.model.path_digest import path_digest
from services.runtime.tasks import end
from services.state import keys, path_history
from services.store.counts import counters
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store
from tests.servers.redis import RedisServer

MYTHO = partition_of("mytho", 8)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(f"chdb://{tmp_path}/store")
    await migrate(store)
    yield store
    await store.close()


@asynccontextmanager
async def publisher(store: Store, server: RedisServer) -> AsyncIterator[HistoryPublisher]:
    publisher = HistoryPublisher(store, server.url, 8)
    yield publisher
    await publisher.close()


async def see(store: Store, site: str, *paths: str) -> None:
    rows = {(site, "total", 0, path): (1, 1, 1) for path in ("", "(other)", *paths)}
    await counters.write(store, rows)


def published(server: RedisServer, site: str) -> "array[int] | None":
    with server.client() as client:
        held = client.get(keys.path_history(site))
    assert isinstance(held, bytes | None)
    return path_history.decode(held) if held else None


def digests(*paths: str) -> "array[int]":
    return array("Q", sorted(map(path_digest, paths)))


async def test_the_pages_of_owned_partitions_are_published(
    store: Store, redis_server: RedisServer
) -> None:
    await see(store, "mytho", "/", "/tin-tức")
    await see(store, "danang", "/")
    assert partition_of("danang", 8) != MYTHO
    async with publisher(store, redis_server) as publishes:
        assert await publishes.publish({MYTHO}) == ["mytho"]
        assert published(redis_server, "mytho") == digests("/", "/tin-tức")
        assert published(redis_server, "danang") is None
        await see(store, "mytho", "/mới")
        await publishes.publish(range(8))
    assert published(redis_server, "mytho") == digests("/", "/tin-tức", "/mới")
    assert published(redis_server, "danang") == digests("/")
    with redis_server.client() as client:
        left = client.ttl(keys.path_history("mytho"))
    assert 0 < int(str(left)) <= path_history.EXPIRY_SECONDS


async def when(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it was not published")


async def test_what_redis_lost_or_another_owner_gave_up_is_published_soon(
    store: Store, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(publishing, "FAULT_SECONDS", 0.05)
    await see(store, "mytho", "/")
    await see(store, "danang", "/")
    owned = {MYTHO}
    async with publisher(store, redis_server) as publishes:
        task = asyncio.create_task(publishes.publish_forever(lambda: owned))
        await when(lambda: published(redis_server, "mytho") is not None)
        assert published(redis_server, "danang") is None
        owned.add(partition_of("danang", 8))
        await when(lambda: published(redis_server, "danang") is not None)

        with redis_server.client() as client:
            client.flushall()
        await when(lambda: published(redis_server, "mytho") is not None)

        redis_server.kill()
        redis_server.start()
        with redis_server.client() as client:
            client.flushall()
        await when(lambda: published(redis_server, "mytho") is not None)
        await end(task)
