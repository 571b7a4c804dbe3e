"""A log in Kafka as the contract of the driver writes to it, from a thread of its own."""

import asyncio
import secrets
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from aiokafka import ConsumerRecord, TopicPartition

from services.aggregator.transport.broker import Broker
from services.aggregator.transport.kafka import KafkaBroker
from services.log import keys
from services.log.drivers.kafka import KafkaLog
from services.log.entries import LogEntry
from services.log.errors import LogError
from services.log.kafka.cluster import dead_topic
from tests.contract.transport_logs import PARTITIONS, TestLog
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.kafka import KafkaServer

WRITER = "writer"
APPEND_SECONDS = 10.0
FIRST, LAST = "-thief", "~thief"
"""Names of members that are given the first and the last partition, whatever others are called."""
_Result = TypeVar("_Result")


class Aside:
    """An event loop in a thread of its own: that of a test has the workers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def soon(self, doing: Coroutine[Any, Any, _Result]) -> Future[_Result]:
        """Begin something, and return its future."""
        return asyncio.run_coroutine_threadsafe(doing, self._loop)

    def result(self, doing: Coroutine[Any, Any, _Result]) -> _Result:
        """Do something, and wait for its end."""
        return self.soon(doing).result(3 * PATIENCE_SECONDS)

    def close(self) -> None:
        self.result(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class KafkaTestLog(TestLog):
    """A topic of its own in a broker, written to as ingest does: in transactions.

    So positions have gaps: the end of a transaction takes one, too.
    """

    seek_seconds = 1.0
    admits_at_once = False

    def __init__(self, server: KafkaServer) -> None:
        self._topic = f"hits-{secrets.token_hex(4)}"
        super().__init__(server.url(self._topic))
        self._server = server
        self._log = self._opened(WRITER)
        self._producer = self._log.producer(APPEND_SECONDS)
        self._sequences = [0] * PARTITIONS
        self._thieves: dict[int, KafkaLog] = {}
        self._under_way: list[Future[None]] = []
        self._aside = Aside()
        self._aside.result(self._log.create())

    def _opened(self, group: str) -> KafkaLog:
        return KafkaLog(
            self.url, partitions=PARTITIONS, group=group, answer_seconds=PATIENCE_SECONDS
        )

    def append(self, partition: int, value: bytes) -> int:
        (position,) = self.append_all(partition, [value])
        return position

    def append_all(self, partition: int, values: Sequence[bytes]) -> list[int]:
        return self._aside.result(self._append(partition, values))

    async def _append(self, partition: int, values: Sequence[bytes]) -> list[int]:
        before = self._sequences[partition]
        entries = [
            LogEntry(partition, WRITER, sequence, 1, value)
            for sequence, value in enumerate(values, before + 1)
        ]
        self._sequences[partition] += len(entries)
        await self._until_taken(entries)
        last = self._log._topic.highest[partition]
        await self._until_seen(partition, last)
        end = await self._base() + last + 1
        return list(range(end - len(values), end))

    async def _until_taken(self, entries: Sequence[LogEntry]) -> None:
        """Append entries, as often as it takes: the log has each once."""
        refusal: LogError | None = None
        for _ in rounds(0.1):
            try:
                await self._producer.append(entries)
            except LogError as error:
                refusal = error
                await self._producer.abandon()
                await asyncio.sleep(0.1)
            else:
                return
        raise AssertionError("Kafka takes nothing") from refusal

    async def _until_seen(self, partition: int, offset: int) -> None:
        """Return once readers see an entry: a moment after its transaction has ended."""
        refusal: LogError | None = None
        for _ in rounds(0.01):
            try:
                _, ends = await self._log.reader.offsets([partition])
            except LogError as error:
                refusal = error
            else:
                if ends[partition] > offset:
                    return
            await asyncio.sleep(0.01)
        raise AssertionError(f"nobody sees the entry at {offset}") from refusal

    async def _base(self) -> int:
        """Return the position of offset 0."""
        return (await self._log._topic.created()).base

    def wipe(self, partition: int) -> None:
        assert self._aside.result(self._log.positions.trim(partition, 1 << 62))

    def steal(self, group: str, partition: int) -> None:
        """See TestLog. The other worker is a member of the group, among which Kafka shares."""
        thief = self._thieves[partition] = self._opened(group)
        name = LAST if partition else FIRST
        self._under_way.append(self._aside.soon(thief.member.join(name, 0.0)))

    def give_back(self, group: str, partition: int) -> None:
        self._under_way.append(self._aside.soon(self._thieves.pop(partition).close()))

    def length(self, partition: int) -> int:
        return len(self._aside.result(self._records(self._topic, partition)))

    def topic(self, name: str) -> list[tuple[bytes, dict[str, bytes]]]:
        assert name == keys.DEAD, "there is no other"
        records = self._aside.result(self._records(dead_topic(self._topic), 0))
        return [(record.value, dict(record.headers)) for record in records]

    def broker(self, group: str) -> Broker:
        return KafkaBroker(self._opened(group))

    def time_ms(self, position: int) -> int:
        offset = position - self._aside.result(self._base())
        first, *_ = self._aside.result(self._records(self._topic, 0, offset))
        assert first.offset == offset
        return int(first.timestamp)

    async def _records(self, topic: str, partition: int, start: int = 0) -> list[ConsumerRecord]:
        """Return the entries of a partition from an offset on."""
        here = TopicPartition(topic, partition)
        found: list[ConsumerRecord] = []
        async with self._log._cluster.consumer() as consumer:
            consumer.assign([here])
            begins = await consumer.beginning_offsets([here])
            ends = await consumer.end_offsets([here])
            consumer.seek(here, max(start, begins[here]))
            while await consumer.position(here) < ends[here]:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += records
        return found

    def kill(self) -> None:
        self._server.kill()

    def start(self) -> None:
        self._server.start()

    def close(self) -> None:
        wait(self._under_way, PATIENCE_SECONDS)
        thieves = [thief.close for thief in self._thieves.values()]
        for close in (*thieves, self._producer.close, self._log.close):
            self._aside.result(close())
        self._aside.close()
        for done in self._under_way:
            done.result(0)
