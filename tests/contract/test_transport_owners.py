"""One contract for the driver where partitions change hands, on the logs of `test_transport.py`.

In Kafka another worker takes a partition by joining the group; in Redis it takes the lease.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from services.aggregator.transport import driver
from services.aggregator.transport.broker import Broker
from tests.contract import test_transport
from tests.contract.test_transport import Start
from tests.contract.transport_logs import TestLog
from tests.contract.transport_servers import ON_ONE_SERVER, WITH_LEASES
from tests.contract.workers import eventually

servers = test_transport.servers
log = test_transport.log
start = test_transport.start


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
    first = await start(lease_seconds=log.longest_lease)
    second = await start(lease_seconds=log.longest_lease)
    await eventually(lambda: len(first.owned()) == 1 and len(second.owned()) == 1)
    await first.stop()
    await eventually(lambda: second.owned() == {0, 1})
    log.append(0, b"zero")
    log.append(1, b"one")
    await second.until(b"zero", b"one")


async def test_a_lease_that_was_taken_away_stops_the_reading(log: TestLog, start: Start) -> None:
    worker = await start()
    await eventually(lambda: worker.owned() == {0, 1})
    log.steal(worker.app.conf.id, 0)
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
    died = time.monotonic()
    second = await start()
    if log.admits_at_once:
        assert second.owned() == set()
    log.append(0, b"after the death")
    await eventually(lambda: second.owned() == {0, 1})
    # Its lease was renewed a moment before, even by a busy machine.
    assert time.monotonic() - died > 3.0
    await second.until(b"after the death")


async def test_messages_read_before_a_lease_was_lost_are_not_committed(
    log: TestLog, start: Start
) -> None:
    log.append(0, b"read by both")
    worker = await start(acknowledge=False)
    await worker.until(b"read by both")
    log.steal(worker.app.conf.id, 0)
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
    log.steal(worker.app.conf.id, 0)
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


@pytest.mark.parametrize("log", WITH_LEASES, indirect=True)
async def test_what_a_former_owner_commits_late_stays_new_to_who_goes_on_where_it_was_kept(
    log: TestLog, start: Start
) -> None:
    """Not in Kafka: whoever is no longer a member, or has not joined again, commits nothing.

    `tests/integration/test_kafka_log.py` tries that.
    """
    log.append(1, b"elsewhere")
    end = log.append(0, b"counted") + 1
    late = log.append(0, b"in flight") + 1
    worker = await start(acknowledge=False, kept_starts=KeptStart(0, end))
    broker = worker.app.consumer.broker
    await worker.until(b"in flight", b"elsewhere")
    # A worker that stood still did not notice that its lease had ended.
    await broker.commit({0: late})
    log.steal(worker.app.conf.id, 1)
    await eventually(lambda: worker.owned() == {0} and worker.values.count(b"in flight") == 2)
    in_flight = [event.message for event in worker.events if event.message.partition == 0]
    assert all(driver.REPLAY not in (message.headers or {}) for message in in_flight)


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
    worker = await start(request_seconds=3 * log.seek_seconds)
    await eventually(lambda: worker.owned() == {0, 1})
    gate = Gate(worker.app.consumer.broker)
    log.steal(worker.app.conf.id, 0)
    # For so long it does not answer: several times what Faust would wait for.
    await eventually(lambda: gate.asked >= 5)
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
    log.steal(app.conf.id, 0)
    await eventually(lambda: worker.owned() == {1} and gate.asked >= 1)
    second = True
    log.append(1, b"2")
    log.give_back(app.conf.id, 0)
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


@pytest.mark.parametrize("log", ["kafka"], indirect=True)
async def test_a_worker_whose_membership_has_ended_joins_again_and_reads_on(
    log: TestLog, start: Start
) -> None:
    """Kafka alone: a task of its client keeps the membership, and the driver renews a lease."""
    log.append(0, b"before")
    worker = await start()
    await worker.until(b"before")
    await worker.app.consumer.commit()
    member: Any = worker.app.consumer.broker._log.member
    ended = member._consumer
    ended._coordinator._coordination_task.cancel()
    await eventually(lambda: member._consumer not in (None, ended) and worker.owned() == {0, 1})
    last = log.append(0, b"after")
    await worker.until(b"before", b"after")
    await worker.app.consumer.commit()
    assert await worker.app.consumer.broker.committed([0]) == {0: last + 1}


@ON_ONE_SERVER
async def test_a_worker_that_is_cut_off_from_the_log_gives_up_its_partitions(
    log: TestLog, start: Start
) -> None:
    """Others may have them by now: two would say who is online."""
    worker = await start()
    await eventually(lambda: worker.owned() == {0, 1})
    log.kill()
    await eventually(lambda: worker.owned() == set())
    await asyncio.to_thread(log.start)
    await eventually(lambda: worker.owned() == {0, 1})
