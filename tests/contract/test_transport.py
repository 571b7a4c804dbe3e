"""One contract for the driver: in memory, on Redis 7.0, on Valkey, on a cluster, on Kafka.

What happens when partitions change hands is in `test_transport_owners.py`.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
from aiokafka import AIOKafkaProducer

from services.aggregator.transport import driver, runs
from services.aggregator.transport.broker import Broker
from services.aggregator.transport.faust_settings import NoTables
from services.log import keys
from services.log.kafka.address import KafkaAddress
from tests.contract.transport_logs import TestLog
from tests.contract.transport_servers import ON_ONE_SERVER, WITH_LEASES, Servers
from tests.contract.workers import Worker, eventually
from tests.patience import PATIENCE_SECONDS, rounds

READ_SECONDS = 30.0
"""How long a read may wait for what is in the log."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with ExitStack() as running:
        yield Servers(tmp_path_factory, running)


@pytest.fixture(params=[*WITH_LEASES, "kafka"])
def log(request: pytest.FixtureRequest, servers: Servers) -> Iterator[TestLog]:
    log = servers.log(request.param)
    yield log
    log.close()


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
    for first in range(0, 300, 30):
        log.append_all(0, [b"%d" % number for number in range(first, first + 30)])
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
    ends = log.append_all(0, values)
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


async def owner(log: TestLog) -> Broker:
    """Return a broker that owns the first partition: in Kafka nobody else commits."""
    broker = log.broker("group")
    assert await broker.workers("worker", 60.0) == ["worker"]
    assert await broker.acquire("worker", 0, 60.0)
    return broker


async def test_a_commit_never_goes_back(log: TestLog) -> None:
    broker = await owner(log)
    assert await broker.commit({0: (1 << 60) + 5}) == {0}
    assert await broker.commit({0: (1 << 60) + 3}) == {0}
    await broker.commit({0: 99})
    assert await broker.committed([0, 1]) == {0: (1 << 60) + 5}
    await broker.close()
    another = await owner(log)
    await another.commit({0: (1 << 60) + 4})
    assert await another.committed([0, 1]) == {0: (1 << 60) + 5}
    await another.close()


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


async def test_trimming_keeps_what_may_be_replayed(log: TestLog) -> None:
    broker = log.broker("group")
    positions = log.append_all(0, [b"%d" % number for number in range(250)])
    await broker.trim(positions[200], 0, retention_ms=3_600_000)
    assert log.length(0) == 250
    await broker.trim(positions[200], 0, retention_ms=-1000)
    # Redis drops whole nodes of 100 entries; what it keeps beyond the position does no harm.
    assert 50 <= log.length(0) <= 150
    records = await broker.read({0: positions[200]}, READ_SECONDS, 1)
    assert records[0][0].position == positions[200]
    await broker.close()


async def test_a_log_without_room_is_trimmed_early_and_only_of_what_may_go(log: TestLog) -> None:
    broker = log.broker("group")
    positions = log.append_all(0, [b"%d" % number for number in range(1000)])
    day = 24 * 3_600_000
    assert await broker.shortage() is None
    await broker.trim(positions[800], 0, retention_ms=day, early=True)
    kept = log.length(0)
    assert 0 < kept < 1000, "the positions are as old as they were written: about a quarter"
    for _ in range(50):
        await broker.trim(positions[800], 0, retention_ms=day, early=True)
    assert 200 <= log.length(0) <= 300, "Redis drops whole nodes of 100 entries"
    records = await broker.read({0: positions[800]}, READ_SECONDS, 1)
    assert records[0][0].position == positions[800]
    await broker.trim(positions[800], 1, retention_ms=day, early=True)
    await broker.close()


async def test_progress_tells_how_far_a_partition_is_behind(log: TestLog) -> None:
    broker = log.broker("group")
    empty = await broker.progress({0: 0})
    assert (empty[0].entries, empty[0].oldest_ms) == (0, None)
    first, last = log.append_all(0, [b"1", b"2"])
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


@pytest.mark.parametrize("log", ["kafka"], indirect=True)
async def test_what_is_behind_an_open_transaction_waits_for_its_end(
    log: TestLog, start: Start
) -> None:
    """Kafka alone: in Redis an entry is in the log at once, or it never is."""
    address = KafkaAddress.parse(log.url)
    headers = [("n", b"1")]
    worker = await start()
    async with (
        AIOKafkaProducer(**address.options(), transactional_id=secrets.token_hex(4)) as slow,
        AIOKafkaProducer(**address.options()) as other,
    ):
        await slow.begin_transaction()
        await slow.send_and_wait(address.topic, b"undecided", partition=0, headers=headers)
        await other.send_and_wait(address.topic, b"behind it", partition=0, headers=headers)
        log.append(1, b"elsewhere")
        await worker.until(b"elsewhere")
        await slow.abort_transaction()
        await worker.until(b"elsewhere", b"behind it")
        await slow.begin_transaction()
        await slow.send_and_wait(address.topic, b"decided", partition=0, headers=headers)
        await slow.commit_transaction()
        await worker.until(b"elsewhere", b"behind it", b"decided")


@ON_ONE_SERVER
async def test_a_worker_waits_for_a_log_that_is_down_and_goes_on(
    log: TestLog, start: Start
) -> None:
    log.append(0, b"before")
    worker = await start()
    await worker.until(b"before")
    await worker.app.consumer.commit()
    log.kill()
    await asyncio.to_thread(log.start)
    await asyncio.to_thread(log.append, 0, b"after")
    await eventually(lambda: len(worker.values) >= 2, PATIENCE_SECONDS)
    await worker.until(b"before", b"after")


@ON_ONE_SERVER
async def test_a_commit_that_failed_is_made_as_soon_as_the_log_is_back(
    log: TestLog, start: Start
) -> None:
    """Nothing else may come on that partition: an import waits until what it sent is committed."""
    last = log.append(0, b"the last one")
    worker = await start(acknowledge=False, lease_seconds=60.0)
    await worker.until(b"the last one")
    log.kill()
    worker.events[0].ack()
    assert not await worker.app.consumer.commit()
    await asyncio.to_thread(log.start)
    broker = worker.app.consumer.broker
    committed: dict[int, int] = {}
    for _ in rounds(0.05):
        # A broker that has just started may not know yet.
        with suppress(*broker.unavailable):
            committed = await broker.committed([0])
        if committed:
            break
        await asyncio.sleep(0.05)
    assert committed == {0: last + 1}
