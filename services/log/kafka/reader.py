"""Plain reads of the topic of hits."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.log.admin import time_of
from services.log.interface import READ_BYTES, LogReader, Record
from services.log.kafka.cluster import KafkaCluster
from services.log.kafka.errors import translated
from services.log.kafka.topic import KafkaTopic, TopicOrigin

_LOOK_SECONDS = 0.1
"""How often a waiting reader checks whether the log has been created."""
_POLL_SECONDS = 1.0


class KafkaReader(LogReader):
    """Reads committed entries, from its own offsets."""

    def __init__(self, cluster: KafkaCluster, topic: KafkaTopic, partitions: int) -> None:
        self._cluster = cluster
        self._topic = topic
        self._partitions = partitions
        self._last: dict[int, tuple[int, int]] = {}
        """By partition: an end, and the offset after the last entry before it."""

    async def read(
        self, positions: Mapping[int, int], *, limit: int, wait: float = 0.0
    ) -> dict[int, Sequence[Record]]:
        """See LogReader."""
        if not positions:
            await asyncio.sleep(wait)
            return {}
        deadline = time.monotonic() + wait
        while (origin := await self._topic.origin()) is None:
            if time.monotonic() >= deadline:
                return {}
            await asyncio.sleep(_LOOK_SECONDS)
        with translated():
            async with (
                asyncio.timeout(self._cluster.answer_seconds + wait),
                self._cluster.consumer() as consumer,
            ):
                by_partition = await self._read(consumer, origin, positions, limit, deadline)
        return {
            number: [record_of(origin, record) for record in records]
            for number, records in by_partition.items()
        }

    async def _read(
        self,
        consumer: AIOKafkaConsumer,
        origin: TopicOrigin,
        positions: Mapping[int, int],
        limit: int,
        deadline: float,
    ) -> dict[int, list[ConsumerRecord]]:
        here = {self._topic.partition(number): number for number in positions}
        consumer.assign(list(here))
        begins = await consumer.beginning_offsets(list(here))
        ends = await consumer.end_offsets(list(here))
        for partition, number in here.items():
            at = self._topic.offset(origin, positions[number])
            consumer.seek(partition, max(at, begins[partition]))
        taken = {number: _Taken(limit, READ_BYTES // len(here)) for number in here.values()}
        while True:
            left = [
                partition
                for partition, number in here.items()
                if taken[number].open and await consumer.position(partition) < ends[partition]
            ]
            waiting = deadline - time.monotonic()
            nothing = not any(each.records for each in taken.values())
            if not left and (waiting <= 0 or not nothing):
                break
            seconds = _POLL_SECONDS if left else min(_POLL_SECONDS, waiting)
            batches = await consumer.getmany(timeout_ms=max(1, int(seconds * 1000)))
            for partition, records in batches.items():
                taken[here[partition]].take(records)
        return {number: each.records for number, each in taken.items() if each.records}

    async def ends(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """See LogReader."""
        numbers = range(self._partitions) if partitions is None else list(partitions)
        origin = await self._topic.origin()
        if origin is None:
            return dict.fromkeys(numbers, 0)
        begins, ends = await self.offsets(numbers)
        return {
            number: self._topic.position(origin, end) if end > begins[number] else 0
            for number, end in (await self.after_last(begins, ends)).items()
        }

    async def after_last(
        self, begins: Mapping[int, int], ends: Mapping[int, int]
    ) -> dict[int, int]:
        """Return the offset after the last entry of each partition; its first one if it is empty.

        The end of a partition is after a transaction end marker, which is not an entry.
        """
        for number, end in ends.items():
            if self._last.get(number, (-1, -1))[0] != end:
                last = await self.last_before(number, begins[number], end)
                after = begins[number] if last is None else last.offset + 1
                self._last[number] = (end, after)
        return {number: max(begins[number], self._last[number][1]) for number in ends}

    async def last_before(self, number: int, begin: int, end: int) -> ConsumerRecord | None:
        """Return the last entry of a partition between two offsets."""
        here = self._topic.partition(number)
        with translated():
            async with (
                asyncio.timeout(self._cluster.answer_seconds),
                self._cluster.consumer() as consumer,
            ):
                consumer.assign([here])
                # An entry, its end marker, and that of an aborted transaction.
                back, last = 4, None
                while last is None and end > begin:
                    start = max(begin, end - back)
                    consumer.seek(here, start)
                    while await consumer.position(here) < end:
                        for record in (await consumer.getmany(here, timeout_ms=100)).get(here, ()):
                            last = record if record.offset < end else last
                    # There were only end markers, and entries of aborted transactions.
                    end, back = start, back * 4
                return last

    async def all_offsets(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return the offset of the first entry of every partition, and that after the last one."""
        return await self.offsets(range(self._partitions))

    async def offsets(self, numbers: Iterable[int]) -> tuple[dict[int, int], dict[int, int]]:
        """Return the offset of the first entry of partitions, and that after the last one."""
        here = [self._topic.partition(number) for number in numbers]
        with translated():
            async with (
                asyncio.timeout(self._cluster.answer_seconds),
                self._cluster.consumer() as consumer,
            ):
                begins = await consumer.beginning_offsets(here)
                ends = await consumer.end_offsets(here)
        return _by_number(begins), _by_number(ends)

    async def now(self) -> int:
        """See LogReader. Brokers do not tell their time; their clocks and ours must agree."""
        return time.time_ns() // 1_000_000


class _Taken:
    """What was read of one partition, within limits of entries and bytes."""

    def __init__(self, limit: int, size: int) -> None:
        self.records: list[ConsumerRecord] = []
        self.open = True
        self._limit = limit
        self._left = size

    def take(self, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            if not self.open:
                return
            self._left -= len(record.value or b"")
            if self._left < 0 and self.records:
                self.open = False
                return
            self.records.append(record)
            self.open = len(self.records) < self._limit


def _by_number(offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {partition.partition: offset for partition, offset in offsets.items()}


def record_of(origin: TopicOrigin, record: ConsumerRecord) -> Record:
    """Convert what a consumer read to an entry of the log."""
    headers = dict(record.headers)
    return Record(
        partition=record.partition,
        position=origin.base + record.offset,
        time_ms=time_of(headers, record.timestamp),
        value=record.value or b"",
        headers=headers,
    )
