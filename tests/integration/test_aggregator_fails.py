"""What the aggregator cannot get over ends it, loudly, instead of leaving hits uncounted."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.aggregator import fold_keeper
from services.aggregator.app import Aggregator
from services.aggregator.ownership import assigned
from services.aggregator.settings import AggregatorSettings
from services.log import keys
from services.log.entries import Batcher
from services.log.open import open_log
from services.model.hit import Hit
from services.model.partition import partition_of
from services.state import keys as state_keys
from services.store.interface import Store, StoreUnavailableError
from services.store.meta import server_info
from services.store.meta.server_info import ServerStart
from services.store.migrations import migrate
from services.store.open import open_store
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.redis import RedisServer
from tests.servers.system import System

DAY = time.time_ns() // 86_400_000_000_000


@pytest.fixture
async def store(luot: System) -> AsyncIterator[Store]:
    store = open_store(luot.clickhouse.url.replace("/luot", "/fails"))
    await migrate(store)
    yield store
    await store.execute("DROP TABLE IF EXISTS counters")
    await store.execute("DROP DATABASE fails")
    await store.close()


async def append(server: RedisServer, *paths: str) -> None:
    log = open_log(server.url)
    producer = log.producer()
    hits = [Hit(site="mytho", path=path, at=1, day=DAY, visitor=1) for path in paths]
    await producer.append(Batcher(8).prepare(hits))
    await producer.close()
    await log.close()


async def failure(aggregator: Aggregator) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever it was, it must be told
        await asyncio.wait_for(aggregator.failed(), 20)
    return caught.value


async def test_a_crash_of_faust_is_a_failure_of_the_aggregator(
    redis_server: RedisServer, store: Store
) -> None:
    aggregator = Aggregator(AggregatorSettings(redis_url=redis_server.url), store)
    await aggregator.start()
    await aggregator.app.crash(RuntimeError("the fetcher died"))
    await aggregator.app.stop()
    assert str(await failure(aggregator)) == "the fetcher died"
    assert "the fetcher died" in str(await aggregator.ready())
    await aggregator.stop()


async def test_a_store_that_refuses_for_good_ends_the_aggregator_and_commits_nothing(
    redis_server: RedisServer, store: Store
) -> None:
    await store.execute("DROP TABLE counters")
    await append(redis_server, "/a")
    aggregator = Aggregator(AggregatorSettings(redis_url=redis_server.url), store)
    await aggregator.start()
    assert "counters" in str(await failure(aggregator))
    await aggregator.stop()
    with redis_server.client() as client:
        assert client.hgetall(keys.commits("luot")) == {}


async def test_a_store_that_was_silent_at_a_take_over_keeps_no_fold_from_being_kept(
    redis_server: RedisServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold_keeper, "ROUND_SECONDS", 0.8)
    monkeypatch.setattr(fold_keeper, "PATIENCE_SECONDS", 0.1)
    is_silent = True

    async def started(store: Store) -> ServerStart:
        if is_silent:
            raise StoreUnavailableError("it starts")
        return await server_info.started(store)

    monkeypatch.setattr(fold_keeper, "started", started)
    await append(redis_server, "/a")
    aggregator = Aggregator(AggregatorSettings(redis_url=redis_server.url), store)
    await aggregator.start()
    kept = state_keys.kept_fold("luot", partition_of("mytho", 8))
    with redis_server.client() as client:
        for _ in rounds(0.1):
            if await store.execute("SELECT 1 FROM hits"):
                break
            await asyncio.sleep(0.1)
        is_silent = False
        for _ in rounds(0.1):
            if client.exists(kept):
                break
            await asyncio.sleep(0.1)
        # Nothing comes, and it does not expire while its owner lives.
        client.expire(kept, 60)
        for _ in rounds(0.1):
            if client.ttl(kept) > 60:
                break
            await asyncio.sleep(0.1)
        assert client.ttl(kept) > 60
    await aggregator.stop()


async def test_an_entry_that_cannot_be_decoded_is_put_aside_and_the_next_one_counts(
    redis_server: RedisServer, store: Store
) -> None:
    partition = partition_of("mytho", 8)
    with redis_server.client() as client:
        client.xadd(keys.stream(partition), {"v": 1, "n": 1, "p": "x", "s": 1, "b": b"\xc1"})
        client.xadd(keys.stream(partition), {"v": 9, "n": 1, "p": "x", "s": 2, "b": b"\x90"})
        client.xadd(keys.stream(partition), {"nothing": "known"})
        client.xadd(keys.stream(partition), {b"\xff": "of another", "o": "here", "t": "at noon"})
        for _ in range(2):
            client.xadd(keys.stream(partition), {"o": "9" * 19, "t": "9" * 20, "n": 1})
    await append(redis_server, "/a")
    aggregator = Aggregator(AggregatorSettings(redis_url=redis_server.url), store)
    await aggregator.start()
    async with asyncio.timeout(90):
        while not await store.execute("SELECT 1 FROM hits"):  # noqa: ASYNC110 - it is elsewhere
            await asyncio.sleep(0.1)
    await aggregator.stop()
    with redis_server.client() as client:
        dead = client.xrange(keys.DEAD)
    assert isinstance(dead, list)
    reasons = [fields[b"reason"].decode() for _, fields in dead]
    assert len(reasons) == 6
    assert "schema version 9, expected 1" in reasons
    assert "field n is None, expected a number" in reasons


async def test_what_goes_to_another_worker_while_a_dead_letter_is_copied_is_left_to_it(
    redis_server: RedisServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = partition_of("mytho", 8)
    with redis_server.client() as client:
        client.xadd(keys.stream(partition), {"nothing": "known"})
    await append(redis_server, "/a")
    settings = AggregatorSettings(redis_url=redis_server.url, flush_seconds=0.1)
    aggregator = Aggregator(settings, store)
    broker, receive = aggregator.app.transport.broker, aggregator._receive
    copying, copied, received = asyncio.Event(), asyncio.Event(), asyncio.Event()
    copy = broker.append

    async def held(*args: Any) -> None:
        copying.set()
        await copied.wait()
        await copy(*args)

    async def noticed(event: Any) -> None:
        await receive(event)
        received.set()

    monkeypatch.setattr(broker, "append", held)
    monkeypatch.setattr(aggregator, "_receive", noticed)
    await aggregator.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await copying.wait()
            owner = keys.owner(partition, aggregator.app.conf.id)
            with redis_server.client() as client:
                client.set(owner, "another")
            while partition in assigned(aggregator.app.consumer):  # noqa: ASYNC110 - Redis decides
                await asyncio.sleep(0.05)
            copied.set()
            await received.wait()
            await aggregator.flush()
            assert await store.execute("SELECT 1 FROM hits") == [], "it is not this worker's"
            with redis_server.client() as client:
                client.delete(owner)
            while not await store.execute("SELECT 1 FROM hits"):  # noqa: ASYNC110 - it is elsewhere
                await asyncio.sleep(0.1)
    finally:
        copied.set()
        await aggregator.stop()
    assert [tuple(row) for row in await store.execute("SELECT path FROM hits FINAL")] == [("/a",)]
