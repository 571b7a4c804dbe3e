"""One contract for the driver's logs: in memory, on Redis 7.0, on Valkey and on a cluster."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.aggregator.transport import driver, runs
from services.aggregator.transport.broker import Broker
from services.aggregator.transport.faust_settings import NoTables
from services.log import keys
from services.log.redis import entry_ids
from tests import require
from tests.contract.workers import MemoryLog, RedisLog, TestLog, Worker, eventually
from tests.patience import PATIENCE_SECONDS
from tests.servers.redis import RedisServer, valkey_program
from tests.servers.redis_cluster import RedisCluster


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], RedisServer | RedisCluster]]:
    started: dict[str, RedisServer | RedisCluster] = {}

    def server(kind: str) -> RedisServer | RedisCluster:
        if kind == "redis+cluster" and kind not in started:
            started[kind] = RedisCluster(tmp_path_factory.mktemp("cluster")).start()
        elif kind not in started:
            program = valkey_program() if kind == "valkey" else require.program("redis-server")
            started[kind] = RedisServer(tmp_path_factory.mktemp(kind), program).start()
        return started[kind]

    yield server
    for running in started.values():
        running.stop()


@pytest.fixture(params=["memory", "redis", "valkey", "redis+cluster"])
def log(
    request: pytest.FixtureRequest, servers: Callable[[str], RedisServer | RedisCluster]
) -> Iterator[TestLog]:
    if request.param == "memory":
        yield MemoryLog()
        return
    redis_log = RedisLog(servers(request.param))
    yield redis_log
    redis_log.client.close()


Start = Callable[..., Awaitable[Worker]]


@pytest.fixture
async def start(log: TestLog) -> AsyncIterator[Start]:
    group = f"test-{secrets.token_hex(4)}"
    running: list[Worker] = []

    async def start(**options: object) -> Worker:
        worker = Worker(log.url, group, **options)  # type: ignore[arg-type]
        running.append(await worker.start())
        return worker

    yield start
    for worker in running:
        if worker.app.started and not worker.app.should_stop:
            await worker.stop()


async def test_entries_of_a_partition_arrive_in_order_whatever_the_gaps(
    log: TestLog, start: Start
) -> None:
    for number in range(300):
        log.append(0, b"%d" % number)
    worker = await start()
    await eventually(lambda: len(worker.values) == 300)
    assert worker.values == [b"%d" % number for number in range(300)]
    log.append(0, b"later")
    log.append(1, b"elsewhere")
    await eventually(lambda: len(worker.values) == 302)
    assert sorted(worker.values[300:]) == [b"elsewhere", b"later"]


async def test_a_worker_waits_for_no_tables_of_faust(
    log: TestLog, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def sleep(_: NoTables, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(NoTables, "sleep", sleep)
    log.append(0, b"first")
    worker = await start()
    assert isinstance(worker.app.tables, NoTables)
    await worker.until(b"first")
    assert pauses == []


async def test_small_entries_come_as_runs_and_are_committed_with_their_last(
    log: TestLog, start: Start
) -> None:
    values = [b"%03d" % number for number in range(90)]
    ends = [log.append(0, value) for value in values]
    first = await start(run_bytes=64)
    await eventually(lambda: len(first.values) == 90)
    assert first.values == values
    assert 5 <= len(first.events) < 30
    positions = [entry.position for event in first.events for entry in runs.entries(event.message)]
    assert positions == ends
    await first.app.consumer.commit()
    assert (await first.app.consumer.broker.committed([0]))[0] == ends[-1] + 1
    await first.stop()
    second = await start(run_bytes=64, replay_ms=3_600_000)
    await eventually(lambda: len(second.values) == 90)
    log.append(0, b"new")
    await eventually(lambda: len(second.values) == 91)
    assert runs.entries(second.events[-1].message)[-1].value == b"new"
    kinds = {dict(event.message.headers).get(driver.REPLAY) for event in second.events}
    assert kinds == {driver.REPAIR, None}


async def test_a_worker_resumes_after_what_was_committed(log: TestLog, start: Start) -> None:
    log.append(0, b"first")
    last = log.append(0, b"second")
    first = await start()
    await first.until(b"first", b"second")
    await first.app.consumer.commit()
    broker = first.app.consumer.broker
    assert await broker.committed([0, 1]) == {0: last + 1}
    await first.stop()

    log.append(0, b"third")
    second = await start()
    await second.until(b"third")


async def test_what_was_read_but_not_acknowledged_is_read_again(log: TestLog, start: Start) -> None:
    log.append(0, b"first")
    first = await start(acknowledge=False)
    await first.until(b"first")
    await first.app.consumer.commit()
    await first.stop()
    second = await start()
    await second.until(b"first")


async def test_only_what_was_acknowledged_in_order_is_committed(log: TestLog, start: Start) -> None:
    positions = [log.append(0, b"%d" % number) for number in range(5)]
    worker = await start(acknowledge=False)
    await eventually(lambda: len(worker.events) == 5)
    for event in worker.events[:3]:
        event.ack()
    await worker.app.consumer.commit()
    committed = await worker.app.consumer.broker.committed([0])
    assert committed == {0: positions[2] + 1}


async def test_a_commit_never_goes_back(log: TestLog) -> None:
    broker = log.broker("group")
    await broker.commit({0: (1 << 60) + 5})
    await broker.commit({0: (1 << 60) + 3})
    await broker.commit({0: 99})
    assert await broker.committed([0, 1]) == {0: (1 << 60) + 5}
    await broker.close()


async def test_a_partition_just_taken_is_replayed_and_says_so(log: TestLog, start: Start) -> None:
    log.append(0, b"old")
    first = await start(replay_ms=3_600_000)
    await first.until(b"old")
    await first.app.consumer.commit()
    await first.stop()

    log.append(0, b"new")
    second = await start(replay_ms=3_600_000)
    await second.until(b"old", b"new")
    replayed = [event.message.headers.get(driver.REPLAY) for event in second.events]
    assert replayed == [driver.REPAIR, None]


async def test_replayed_messages_do_not_move_the_commit_back(log: TestLog, start: Start) -> None:
    log.append(0, b"one")
    last = log.append(0, b"two")
    first = await start(replay_ms=3_600_000)
    await first.until(b"one", b"two")
    await first.app.consumer.commit()
    await first.stop()
    second = await start(replay_ms=3_600_000)
    await second.until(b"one", b"two")
    await second.app.consumer.commit()
    assert await second.app.consumer.broker.committed([0]) == {0: last + 1}


async def test_reading_goes_on_where_it_was_sought(log: TestLog, start: Start) -> None:
    positions = [log.append(0, b"%d" % number) for number in range(3)]
    worker = await start()
    await eventually(lambda: len(worker.values) == 3)
    consumer = worker.app.consumer
    tp = next(tp for tp in consumer.assignment() if tp.partition == 0)
    await consumer.seek(tp, positions[1])
    await eventually(lambda: len(worker.values) == 5)
    assert worker.values[3:] == [b"1", b"2"]


async def test_a_wiped_stream_goes_on_with_new_entries(log: TestLog, start: Start) -> None:
    log.append(0, b"before")
    worker = await start()
    await worker.until(b"before")
    await worker.app.consumer.commit()
    log.wipe(0)
    log.append(0, b"after")
    await worker.until(b"before", b"after")


async def test_a_worker_that_waits_for_entries_stops_at_once(start: Start) -> None:
    worker = await start()
    await eventually(lambda: worker.owned() == {0, 1})
    loop = asyncio.get_running_loop()
    started = loop.time()
    await worker.stop()
    assert loop.time() - started < 2


async def test_two_workers_share_the_partitions(log: TestLog, start: Start) -> None:
    first = await start()
    await eventually(lambda: first.owned() == {0, 1})
    second = await start()
    await eventually(lambda: len(first.owned()) == 1 and len(second.owned()) == 1)
    assert first.owned() | second.owned() == {0, 1}
    log.append(0, b"zero")
    log.append(1, b"one")
    await eventually(lambda: len(first.values) == 1 and len(second.values) == 1)


async def test_a_clean_stop_hands_over_before_the_lease_ends(log: TestLog, start: Start) -> None:
    first = await start(lease_seconds=3600)
    second = await start(lease_seconds=3600)
    await eventually(lambda: len(first.owned()) == 1 and len(second.owned()) == 1)
    await first.stop()
    await eventually(lambda: second.owned() == {0, 1})
    log.append(0, b"zero")
    log.append(1, b"one")
    await second.until(b"zero", b"one")


async def test_a_lease_that_was_taken_away_stops_the_reading(log: TestLog, start: Start) -> None:
    worker = await start()
    await eventually(lambda: worker.owned() == {0, 1})
    log.steal(worker.app.conf.id, 0, ttl=60)
    await eventually(lambda: worker.owned() == {1})
    log.append(0, b"not mine")
    log.append(1, b"mine")
    await worker.until(b"mine")


async def test_a_dead_workers_partitions_are_taken_over_and_read_from_the_commit(
    log: TestLog, start: Start
) -> None:
    log.append(0, b"counted")
    dead = await start(lease_seconds=6.0)
    await dead.until(b"counted")
    await dead.app.consumer.commit()
    await dead.stop(leave=False)
    second = await start()
    assert second.owned() == set()
    log.append(0, b"after the death")
    await eventually(lambda: second.owned() == {0, 1})
    await second.until(b"after the death")


async def test_messages_read_before_a_lease_was_lost_are_not_committed(
    log: TestLog, start: Start
) -> None:
    log.append(0, b"read by both")
    worker = await start(acknowledge=False)
    await worker.until(b"read by both")
    log.steal(worker.app.conf.id, 0, ttl=60)
    await eventually(lambda: worker.owned() == {1})
    worker.events[0].ack()
    await worker.app.consumer.commit()
    assert await worker.app.consumer.broker.committed([0]) == {}


async def test_a_partition_that_is_kept_goes_on_after_what_was_acknowledged(
    log: TestLog, start: Start
) -> None:
    worker = await start(replay_ms=3_600_000)
    await eventually(lambda: worker.owned() == {0, 1})
    log.append(1, b"before")
    await worker.until(b"before")
    log.steal(worker.app.conf.id, 0, ttl=60)
    await eventually(lambda: worker.owned() == {1})
    log.append(1, b"after")
    await worker.until(b"before", b"after")


class KeptStart:
    """Knows where one partition was when its fold was kept."""

    def __init__(self, partition: int, start: int) -> None:
        self._partition, self._start = partition, start

    async def look(
        self, broker: Broker, partition: int, committed: int, far: int
    ) -> SimpleNamespace:
        return SimpleNamespace(start=self._start if partition == self._partition else None)

    def accept(self, found: Mapping[int, SimpleNamespace]) -> None:
        """Remember nothing."""


async def test_what_a_former_owner_commits_late_stays_new_to_who_goes_on_where_it_was_kept(
    log: TestLog, start: Start
) -> None:
    log.append(1, b"elsewhere")
    end = log.append(0, b"counted") + 1
    late = log.append(0, b"in flight") + 1
    worker = await start(acknowledge=False, kept_starts=KeptStart(0, end))
    broker = worker.app.consumer.broker
    await worker.until(b"in flight", b"elsewhere")
    # A worker that stood still did not notice that its lease had ended.
    await broker.commit({0: late})
    log.steal(worker.app.conf.id, 1, ttl=60)
    await eventually(lambda: worker.owned() == {0} and worker.values.count(b"in flight") == 2)
    in_flight = [event.message for event in worker.events if event.message.partition == 0]
    assert all(driver.REPLAY not in (message.headers or {}) for message in in_flight)


async def test_trimming_keeps_what_may_be_replayed(log: TestLog) -> None:
    broker = log.broker("group")
    positions = [log.append(0, b"%d" % number) for number in range(250)]
    await broker.trim(positions[200], 0, retention_ms=3_600_000)
    assert log.length(0) == 250
    await broker.trim(positions[200], 0, retention_ms=-1000)
    # Redis drops whole nodes of 100 entries; what it keeps beyond the position does no harm.
    assert 50 <= log.length(0) <= 150
    records = await broker.read({0: positions[200]}, 0.1, 1)
    assert records[0][0].position == positions[200]
    await broker.close()


async def test_a_log_without_room_is_trimmed_early_and_only_of_what_may_go(log: TestLog) -> None:
    broker = log.broker("group")
    positions = [log.append(0, b"%d" % number) for number in range(1000)]
    day = 24 * 3_600_000
    assert await broker.shortage() is None
    await broker.trim(positions[800], 0, retention_ms=day, early=True)
    kept = log.length(0)
    assert 0 < kept < 1000, "the positions are as old as they were written: about a quarter"
    for _ in range(50):
        await broker.trim(positions[800], 0, retention_ms=day, early=True)
    assert 200 <= log.length(0) <= 300, "Redis drops whole nodes of 100 entries"
    records = await broker.read({0: positions[800]}, 0.1, 1)
    assert records[0][0].position == positions[800]
    await broker.trim(positions[800], 1, retention_ms=day, early=True)
    await broker.close()


async def test_progress_tells_how_far_a_partition_is_behind(log: TestLog) -> None:
    broker = log.broker("group")
    empty = await broker.progress({0: 0})
    assert (empty[0].entries, empty[0].oldest_ms) == (0, None)
    first = log.append(0, b"1")
    last = log.append(0, b"2")
    behind = (await broker.progress({0: 0}))[0]
    assert behind.entries == 2
    assert behind.oldest_ms == log.time_ms(first)
    assert behind.now_ms >= log.time_ms(first)
    assert (await broker.progress({0: last + 1}))[0].entries == 0
    assert await broker.end(0) == last + 1
    await broker.close()


async def test_a_dead_letter_arrives_with_its_reason(log: TestLog, start: Start) -> None:
    worker = await start()
    dead = worker.app.topic(keys.DEAD, value_type=bytes, value_serializer="raw")
    await dead.send(value=b"\xff\x00", headers={"reason": b"not a batch"})
    ((value, headers),) = log.topic(keys.DEAD)
    assert value == b"\xff\x00"
    assert headers["reason"] == b"not a batch"


async def test_a_worker_waits_for_a_redis_that_is_down_and_goes_on(tmp_path: Path) -> None:
    server = RedisServer(tmp_path).start()
    with server.client() as client:
        client.xadd(keys.stream(0), {"n": b"1", "b": b"before"})
    worker = await Worker(server.url, "group").start()
    await worker.until(b"before")
    await worker.app.consumer.commit()
    server.kill()
    await asyncio.to_thread(server.start)
    with server.client() as client:
        client.xadd(keys.stream(0), {"n": b"1", "b": b"after"})
    await worker.until(b"before", b"after")
    await worker.stop()
    server.stop()


async def test_a_commit_that_failed_is_made_as_soon_as_the_log_is_back(tmp_path: Path) -> None:
    """Nothing else may come on that partition: an import waits until what it sent is committed."""
    server = RedisServer(tmp_path).start()
    with server.client() as client:
        entry_id = client.xadd(keys.stream(0), {"n": b"1", "b": b"the last one"})
        assert isinstance(entry_id, bytes)
    worker = await Worker(server.url, "group", acknowledge=False, lease_seconds=60.0).start()
    await worker.until(b"the last one")
    server.kill()
    worker.events[0].ack()
    assert not await worker.app.consumer.commit()
    await asyncio.to_thread(server.start)
    broker = worker.app.consumer.broker
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await broker.committed([0]) != {0: entry_ids.of_entry(entry_id) + 1}:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await worker.stop()
    server.stop()


class Gate:
    """Holds up what every seek begins with, while it is closed."""

    def __init__(self, broker: Broker) -> None:
        self._committed = broker.committed
        self.opened = asyncio.Event()
        self.asked = 0
        broker.committed = self.committed  # type: ignore[method-assign]

    async def committed(self, partitions: Collection[int]) -> dict[int, int]:
        self.asked += 1
        await self.opened.wait()
        return await self._committed(partitions)


async def test_a_log_that_answers_late_is_waited_for(log: TestLog, start: Start) -> None:
    """Faust gives a seek some time, and after that it would never read again."""
    worker = await start(request_seconds=0.6)
    await eventually(lambda: worker.owned() == {0, 1})
    gate = Gate(worker.app.consumer.broker)
    log.steal(worker.app.conf.id, 0, ttl=60)
    await eventually(lambda: gate.asked >= 1)
    await asyncio.sleep(2.5)  # for so long it does not answer
    gate.opened.set()
    log.append(1, b"waits")
    await worker.until(b"waits")


async def test_nothing_is_read_between_two_changes_of_ownership(log: TestLog, start: Start) -> None:
    """The second may begin while the seek of the first is under way, whose end starts nothing."""
    log.append(1, b"1")
    worker = await start(acknowledge=False, lease_seconds=30.0)
    await worker.until(b"1")
    app = worker.app
    gate = Gate(app.consumer.broker)
    second = False

    async def between(*_: object, **__: object) -> None:
        """Let the first seek end in the middle of the second change, and hold up the second."""
        nonlocal second
        if second:
            second = False
            gate.opened.set()
            await asyncio.sleep(0.5)
            gate.opened.clear()

    app.on_partitions_revoked.connect(between, weak=False)
    log.steal(app.conf.id, 0, ttl=60)
    await eventually(lambda: worker.owned() == {1} and gate.asked >= 1)
    second = True
    log.append(1, b"2")
    log.steal(app.conf.id, 0, ttl=0.001)
    await eventually(lambda: worker.owned() == {0, 1})
    log.append(1, b"3")

    def read() -> list[bytes]:
        now = app.consumer_generation_id
        messages = [each.message for each in worker.events]
        return [each.value for each in messages if each.generation_id == now]

    await asyncio.sleep(1.5)
    assert read() == []
    gate.opened.set()
    await eventually(lambda: len(read()) >= 3)
    assert read() == [b"1", b"2", b"3"]
