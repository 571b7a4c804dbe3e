"""A log is moved between real servers, and back: places, sequences, imports, identity."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from redis.exceptions import ConnectionError as RedisConnectionError

from services.log import keys
from services.log.admin import Copy, place
from services.log.entries import LogEntry
from services.log.errors import LogError, LogInUseError
from services.log.import_log import ImportOutcome
from services.log.interface import Log, LogProducer, Record
from services.log.kafka.address import KafkaAddress
from services.log.moving import MoveReport, cancel, move
from services.log.open import open_log
from services.log.written_number import written_number
from services.model.partition import partition_of
from services.redis_client import cluster as redis_cluster
from services.redis_client.wire import exchange
from tests.chaos.proxy import Proxy
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster

PARTITIONS = 2
REPLAY_MS = 3_600_000
SITE = "mytho"
PARTITION = partition_of(SITE, PARTITIONS)
DIGEST = "d" * 64


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
async def logs(
    redis: RedisServer, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Log, Log]]:
    """An empty log on Redis, and one in Kafka or on a cluster that does not exist yet."""
    with redis.client() as client:
        client.flushall()
    if getattr(request, "param", "kafka") == "kafka":
        kafka: KafkaServer = request.getfixturevalue("kafka")
        other = kafka.url(f"hits-{secrets.token_hex(4)}")
    else:
        other = request.getfixturevalue("cluster").url()
    async with AsyncExitStack() as stack:
        opened = []
        for url in (redis.url, other):
            log = open_log(url, partitions=PARTITIONS, answer_seconds=2 * PATIENCE_SECONDS)
            stack.push_async_callback(log.close)
            opened.append(log)
        yield opened[0], opened[1]


async def moved(source: Log, target: Log) -> MoveReport:
    return await move(source, target, REPLAY_MS, lambda: None)


@asynccontextmanager
async def producing(log: Log) -> AsyncIterator[LogProducer]:
    producer = log.producer(30.0)
    try:
        yield producer
    finally:
        await producer.close()


async def append(log: Log, producer_id: str, first: int, last: int) -> None:
    """Append entries numbered like this to each partition, as a drain does that is not sure."""
    async with producing(log) as producer:
        await producer.open(producer_id)
        for sequence in range(first, last + 1):
            text = f"{producer_id} {sequence}".encode()
            await producer.append(
                [LogEntry(number, producer_id, sequence, 1, text) for number in range(PARTITIONS)]
            )


async def read(log: Log, number: int, at: int = 0, least: int = 0) -> list[Record]:
    for _ in rounds(0.05):
        found = list((await log.reader.read({number: at}, limit=1000)).get(number, ()))
        if len(found) >= least:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"{len(found)} of {least} entries")


def places(records: list[Record]) -> list[int]:
    return [place(record.headers, record.position) for record in records]


@pytest.mark.parametrize("logs", ["kafka", "redis+cluster"], indirect=True)
async def test_a_log_goes_from_redis_to_another_one_and_back(logs: tuple[Log, Log]) -> None:
    redis, other = logs
    await redis.check(unsafe_eviction=False)
    await redis.identify("the-log")
    await append(redis, "first", 1, 5)
    progress = await redis.imports.begin(SITE, DIGEST)
    assert await redis.imports.append(SITE, DIGEST, 0, 10, 3, b"page") == (
        ImportOutcome.APPENDED,
        10,
    )
    first = await read(redis, PARTITION)
    # Three are counted, two and the import are not.
    await redis.positions.set_committed({PARTITION: first[3].position})
    # What each shard of the store must hold.
    noted = {written_number(PARTITION, shard): first[2].position + shard for shard in (0, 2)}
    await redis.positions.note_written(noted)
    times = {record.value: record.time_ms for record in first}

    for source, target, producer in ((redis, other, "second"), (other, redis, "third")):
        before = await read(source, PARTITION)
        at = (await source.positions.committed())[PARTITION]
        waiting = [record.value for record in before if record.position >= at]
        doubtful = f"killed-{producer}"
        await append(source, doubtful, 1, 1)
        late = f"{doubtful} 1".encode()
        waiting.append(late)

        report = await moved(source, target)
        assert report.entries > report.waiting > len(waiting)
        assert report.producers >= 2

        after = await read(target, PARTITION, least=len(before) + 1)
        assert [record.value for record in after] == [*(r.value for r in before), late]
        assert places(after)[: len(before)] == places(before)
        assert places(after) == sorted(set(places(after)))
        assert {r.value: r.time_ms for r in after}.items() >= times.items()
        at = (await target.positions.committed())[PARTITION]
        assert [r.value for r in after if r.position >= at] == waiting
        assert await target.identity() == "the-log"
        assert await target.positions.written(None) == noted

        # What was appended is not appended again; what was not is.
        await append(target, doubtful, 1, 2)
        found = await read(target, PARTITION, least=len(after) + 1)
        assert [record.value for record in found][len(after) :] == [f"{doubtful} 2".encode()]
        assert places(found) == sorted(set(places(found)))
        assert found[-1].position > max(places(before))

        known = await target.imports.find(SITE, DIGEST)
        assert known is not None
        assert (known.taken, known.hits, known.salt) == (progress.taken + 10, 3, progress.salt)
        assert not await target.imports.counted(SITE, known)
        assert (await target.imports.append(SITE, DIGEST, 0, 10, 3, b"page"))[0] is (
            ImportOutcome.REPEATED
        )

        # The old one takes nothing, and says why; the same command says that all is done.
        with pytest.raises(LogError, match="was moved to"):
            await source.check(unsafe_eviction=False)
        async with producing(source) as small:
            with pytest.raises(LogError):
                # No entry is smaller.
                await small.append([LogEntry(PARTITION, "p", 1, 1, b"")])
        assert [check.ok for check in await source.examine() if check.name == "move"] == [False]
        assert await moved(source, target) == MoveReport(before=True)
        await target.check(unsafe_eviction=False)
        for extent in await target.positions.extents():
            assert extent.trimmed


async def test_what_was_in_a_transaction_when_the_log_was_sealed_is_moved(
    logs: tuple[Log, Log],
) -> None:
    redis, kafka = logs
    await kafka.check(unsafe_eviction=False)
    address = KafkaAddress.parse(kafka.url)
    slow = AIOKafkaProducer(**address.options(), transactional_id=secrets.token_hex(4))
    await slow.start()
    await slow.begin_transaction()
    await slow.send_and_wait(address.topic, b"slow", partition=0)
    taken = [b"slow"]
    async with producing(kafka) as producer:
        moving = asyncio.create_task(moved(kafka, redis))
        with suppress(LogError):
            for sequence in itertools.count(1):
                value = b"%d" % sequence
                await producer.append([LogEntry(0, "quick", sequence, 1, value)])
                taken.append(value)
                await asyncio.sleep(0.01)
    # Nothing is taken any more, but what was taken can still be committed.
    assert not moving.done()
    await slow.commit_transaction()
    await slow.stop()
    report = await moving
    assert [record.value for record in await read(redis, 0)] == taken
    assert (report.entries, report.waiting) == (len(taken), len(taken))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Log]:
    log = open_log(url, partitions=PARTITIONS, answer_seconds=2 * PATIENCE_SECONDS)
    try:
        yield log
    finally:
        await log.close()


async def assert_moved_exactly(source: Log, target: Log) -> None:
    """Move a log, starting over after a failure, as the command tells to; nothing is twice."""
    before = [await read(source, number, least=1) for number in range(PARTITIONS)]
    with suppress(LogError):
        await moved(source, target)
    await moved(source, target)
    after = [await read(target, number, least=1) for number in range(PARTITIONS)]
    assert list(map(places, after)) == list(map(places, before))


async def test_a_connection_lost_after_entries_were_copied_copies_none_twice(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis.client() as client:
        client.flushall()
    async with (
        Proxy(redis.port) as proxy,
        opened(redis.url) as source,
        opened(f"redis://127.0.0.1:{proxy.port}/1") as target,
    ):
        await append(source, "first", 1, 5)
        copy = target.admin.copy

        async def lost(partition: int, copies: Sequence[Copy]) -> int:
            monkeypatch.setattr(target.admin, "copy", copy)
            proxy.delay = PATIENCE_SECONDS
            copying = asyncio.create_task(copy(partition, copies))
            with redis.client() as client:
                client.select(1)
                for _ in rounds(0.01):
                    if client.xlen(keys.stream(partition)) == len(copies):
                        break
                    await asyncio.sleep(0.01)
            proxy.delay = 0
            proxy.reset()
            return await copying

        monkeypatch.setattr(target.admin, "copy", lost)
        await assert_moved_exactly(source, target)


async def test_a_move_that_runs_is_not_cancelled_and_loses_no_hit(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis.client() as client:
        client.flushall()
    there = f"{redis.url.rpartition('/')[0]}/1"
    async with (
        opened(redis.url) as source,
        opened(there) as target,
        opened(redis.url) as source_of_another,
        opened(there) as target_of_another,
    ):
        await append(source, "first", 1, 5)
        before = await read(source, 0, least=1)
        is_copying, may_go_on = asyncio.Event(), asyncio.Event()
        copy = target.admin.copy

        async def slow(partition: int, copies: Sequence[Copy]) -> int:
            is_copying.set()
            await may_go_on.wait()
            return await copy(partition, copies)

        monkeypatch.setattr(target.admin, "copy", slow)
        moving = asyncio.create_task(moved(source, target))
        await asyncio.wait_for(is_copying.wait(), PATIENCE_SECONDS)
        with pytest.raises(LogInUseError, match="another command holds the log"):
            await cancel(source_of_another, target_of_another)
        # What is appended now would be behind what the move copies.
        with pytest.raises(LogError):
            await append(source_of_another, "second", 1, 1)
        may_go_on.set()
        assert (await moving).entries == 5 * PARTITIONS
        assert [one.value for one in await read(target, 0)] == [one.value for one in before]


async def test_a_move_that_was_killed_is_cancelled_and_hits_are_taken_again(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis.client() as client:
        client.flushall()
    async with (
        opened(redis.url) as source,
        opened(f"{redis.url.rpartition('/')[0]}/1") as target,
    ):
        await append(source, "first", 1, 5)

        async def killed(partition: int, copies: Sequence[Copy]) -> int:
            raise LogError("killed")

        with monkeypatch.context() as broken:
            broken.setattr(target.admin, "copy", killed)
            with pytest.raises(LogError, match="killed"):
                await moved(source, target)
        await cancel(source, target)
        await append(source, "first", 6, 6)
        assert (await moved(source, target)).entries == 6 * PARTITIONS


@pytest.mark.parametrize("logs", ["redis+cluster"], indirect=True)
async def test_a_node_replaced_after_entries_were_copied_gets_none_of_them_again(
    logs: tuple[Log, Log], cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = logs
    await append(source, "first", 1, 5)

    stream = keys.stream(PARTITION)

    async def lost(connection: Any, packed: Sequence[bytes], **how: bool) -> list[Any]:
        replies = await exchange(connection, packed, **how)
        if b"XADD\r\n" in packed[0] and stream.encode() in packed[0]:
            monkeypatch.undo()
            owner = cluster.owner(stream)
            cluster.move(stream, next(node for node in cluster.masters() if node is not owner))
            raise RedisConnectionError("lost")
        return replies

    monkeypatch.setattr(redis_cluster, "exchange", lost)
    await assert_moved_exactly(source, target)
