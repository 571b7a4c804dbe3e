"""Changes of ownership that meet a seek, a read, a commit at the worst moment.

What is handed over within one generation follows the log without gap or repetition, from where it
was acknowledged; and what is owned is read. The log's answers come when a test says so.
"""

import asyncio
import random
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from services.aggregator.transport import driver, generations
from services.aggregator.transport.broker import Broker
from tests.contract.transport_logs import PARTITIONS, MemoryLog
from tests.contract.workers import Worker, eventually
from tests.patience import PATIENCE_SECONDS, rounds

EVERYTHING = set(range(PARTITIONS))


@pytest.fixture(autouse=True)
def quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "TICK_SECONDS", 0.02)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
async def worker(log: MemoryLog) -> AsyncIterator[Worker]:
    """One that owns everything, acknowledges nothing by itself and commits after every message."""
    group = f"test-{secrets.token_hex(4)}"
    worker = Worker(log.url, group, acknowledge=False, lease_seconds=30.0, commit_every=1)
    await worker.start()
    await eventually(lambda: worker.owned() == EVERYTHING)
    yield worker
    async with asyncio.timeout(PATIENCE_SECONDS):
        await worker.stop()


def handed(worker: Worker) -> list[bytes]:
    """Return what was handed over since the last change of ownership."""
    now = worker.app.consumer_generation_id
    return [each.message.value for each in worker.events if each.message.generation_id == now]


async def lose(log: MemoryLog, worker: Worker, *partitions: int) -> None:
    for partition in partitions:
        log.steal(worker.app.conf.id, partition)
    await eventually(lambda: not (worker.owned() & set(partitions) or worker.app.rebalancing))


def give_back(log: MemoryLog, worker: Worker) -> None:
    for partition in EVERYTHING:
        log.give_back(worker.app.conf.id, partition)


class Seams:
    """Stands in front of a broker: each call waits for what `before` does, by its name."""

    def __init__(self, broker: Broker) -> None:
        self.called: dict[str, int] = defaultdict(int)
        for name in ("committed", "rewound", "read", "commit", "renew", "owners"):
            setattr(broker, name, self._held(name, getattr(broker, name)))

    def _held(self, name: str, function: Any) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.called[name] += 1
            await self.before(name, self.called[name], args)
            return await self.after(name, await function(*args, **kwargs))

        return call

    async def before(self, name: str, number: int, args: Sequence[Any]) -> None:
        """Wait before a call; `number` counts those of this name."""

    async def after(self, name: str, answer: Any) -> Any:
        """Wait before an answer is given, and return it or another."""
        return answer


async def steps(count: int) -> None:
    """Let the event loop go on by so many steps."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_nothing_is_read_before_it_is_known_where(log: MemoryLog, worker: Worker) -> None:
    """A worker that owned nothing for a while still knew the positions from before."""
    log.append(0, b"1")
    await eventually(lambda: handed(worker) == [b"1"])
    await lose(log, worker, *EVERYTHING)
    opened = asyncio.Event()

    class Held(Seams):
        async def before(self, name: str, number: int, args: Sequence[Any]) -> None:
            if name == "committed":
                await opened.wait()

    seams = Held(worker.app.consumer.broker)
    give_back(log, worker)
    await eventually(lambda: seams.called["committed"] > 0)
    log.append(0, b"2")
    await asyncio.sleep(1.5)  # Faust's own reader looks once a second
    assert handed(worker) == []
    opened.set()
    await eventually(lambda: len(handed(worker)) >= 2)
    assert handed(worker) == [b"1", b"2"]


async def test_what_is_read_while_reading_resumes_is_handed_over(
    log: MemoryLog, worker: Worker
) -> None:
    """Faust empties the queues of its agents when it resumes, some steps after the seek."""
    consumer = worker.app.consumer

    class Held(Seams):
        count = 0
        looks = asyncio.Event()

        async def before(self, name: str, number: int, args: Sequence[Any]) -> None:
            if name == "read":
                await self.looks.wait()
            if name == "rewound" and number == 2 * PARTITIONS:
                await eventually(lambda: not consumer.flow_active or self.called["read"] > 0)
                log.append(0, b"%d" % self.count)
                self.looks.set()
                await steps(self.count)

    seams = Held(consumer.broker)
    seams.looks.set()
    for count in range(8):
        await lose(log, worker, *EVERYTHING)
        seams.count = count
        seams.looks.clear()
        seams.called.clear()
        give_back(log, worker)
        await eventually(lambda: worker.owned() == EVERYTHING)
        await eventually(lambda: b"%d" % seams.count in handed(worker))


async def test_a_commit_between_two_messages_skips_none(
    log: MemoryLog, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust commits between two messages, and noted the second as read whatever came between."""
    # Who renews the leases commits, too, and would be held up with them.
    monkeypatch.setattr(worker.app.consumer, "_commit_late", partial(asyncio.sleep, 0))
    log.append(1, b"1")
    log.append(1, b"2")
    await eventually(lambda: len(worker.events) == 2)
    opened = asyncio.Event()

    class Held(Seams):
        async def before(self, name: str, number: int, args: Sequence[Any]) -> None:
            if name == "commit" and number == 1:
                await opened.wait()

    seams = Held(worker.app.consumer.broker)
    worker.events[0].ack()
    log.append(1, b"3")
    await eventually(lambda: seams.called["commit"] > 0)
    await lose(log, worker, 0)
    await eventually(lambda: not worker.app.rebalancing)
    opened.set()
    await eventually(lambda: b"3" in handed(worker))
    assert handed(worker) == [b"2", b"3"]


async def test_a_commit_that_left_a_partition_out_is_made_up_for(
    log: MemoryLog, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member of Kafka's group may lose a partition, and have it again before anybody looks."""
    broker = worker.app.consumer.broker
    commit, left_out = broker.commit, list[Mapping[int, int]]()

    async def between_owners(positions: Mapping[int, int]) -> set[int]:
        if not left_out:
            left_out.append(positions)
            return set()
        committed: set[int] = await commit(positions)
        return committed

    monkeypatch.setattr(broker, "commit", between_owners)
    position = log.append(1, b"the last one")
    await eventually(lambda: len(worker.events) == 1)
    worker.events[0].ack()
    await worker.app.consumer.commit()
    at: dict[int, int] = {}
    for _ in rounds(0.02):
        at = await broker.committed([1])
        if at:
            break
        await asyncio.sleep(0.02)
    assert left_out == [{1: position + 1}]
    assert at == {1: position + 1}


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_the_order_a_generation_reads_on_where_it_was_acknowledged(
    log: MemoryLog, worker: Worker, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer comes some steps late, some seeks and commits fail, leases come and go."""
    chance = random.Random(seed)
    app, consumer = worker.app, worker.app.consumer
    calm = False

    class Late(Seams):
        lost: frozenset[int] = frozenset()

        async def before(self, name: str, number: int, args: Sequence[Any]) -> None:
            await steps(0 if calm else chance.choice((0, 1, 2, 3, 5, 8)))
            if name in ("committed", "commit") and not calm and chance.random() < 0.1:
                raise consumer.broker.unavailable[0]("not now")

        async def after(self, name: str, answer: Any) -> Any:
            await steps(0 if calm else chance.choice((0, 0, 1, 2, 3, 5)))
            if name == "renew":
                if calm or chance.random() < 0.15:
                    lost = () if calm else chance.choice(((), (), (0,), (1,), (0, 1)))
                    self.lost = frozenset(lost)
                return answer - self.lost
            return answer | dict.fromkeys(self.lost, "thief") if name == "owners" else answer

    Late(consumer.broker)
    monkeypatch.setattr(driver, "TICK_SECONDS", 0)
    monkeypatch.setattr(generations, "STILL_TICKS", 1_000_000)
    written = dict.fromkeys(range(PARTITIONS), 0)
    acknowledged: dict[int, int] = dict.fromkeys(range(PARTITIONS), 0)
    begun: dict[tuple[int, int], int] = {}
    seen = 0

    def check() -> None:
        """Look at what was handed over since the last look."""
        nonlocal seen
        for event in worker.events[seen:]:
            message = event.message
            at, number = (message.generation_id, message.partition), int(message.value)
            if at not in begun:
                assert number <= acknowledged[message.partition], "some were left out"
            else:
                assert number == begun[at], "not the next one"
            begun[at] = number + 1
        seen = len(worker.events)

    def acknowledge() -> None:
        current = [
            event
            for event in worker.events
            if event.message.generation_id == app.consumer_generation_id and not event.message.acked
        ]
        for event in current[: chance.randint(0, len(current))]:
            event.ack()
            number = int(event.message.value) + 1
            acknowledged[event.message.partition] = max(
                number, acknowledged[event.message.partition]
            )

    def write() -> None:
        partition = chance.randrange(PARTITIONS)
        for _ in range(chance.randint(1, 3)):
            log.append(partition, b"%d" % written[partition])
            written[partition] += 1

    for _ in range(1500):
        chance.choice((write, acknowledge, acknowledge, lambda: None))()
        await steps(chance.randint(0, 12))
        check()
    calm = True
    for partition in EVERYTHING:
        log.append(partition, b"%d" % written[partition])

    def is_read() -> bool:
        check()
        now = app.consumer_generation_id
        return all(begun.get((now, at)) == end + 1 for at, end in written.items())

    await eventually(is_read)


async def test_a_worker_that_does_not_read_ends(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ended Faust's reader, without an error: the process ends, and the next one reads."""
    monkeypatch.setattr(generations, "STILL_TICKS", 100)
    await asyncio.sleep(3)  # an idle reader asks once a second, which is fifty of these ticks
    assert not worker.app.crashed
    await worker.app._fetcher.stop()
    await eventually(lambda: worker.app.crashed)
    assert "nothing reads them" in str(worker.app.crash_reason)
