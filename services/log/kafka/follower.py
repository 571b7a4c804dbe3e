"""Reads the topic of hits continuously, as an aggregator does."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer

from services.log.interface import Record
from services.log.kafka.clients import stop_reading
from services.log.kafka.cluster import KafkaCluster
from services.log.kafka.errors import translated
from services.log.kafka.reader import record_of
from services.log.kafka.topic import KafkaTopic, TopicOrigin


class KafkaFollower:
    """One consumer that keeps its place: a read that continues the last one needs no seek.

    One read at a time.
    """

    def __init__(self, cluster: KafkaCluster, topic: KafkaTopic) -> None:
        self._cluster = cluster
        self._topic = topic
        self._consumer: AIOKafkaConsumer | None = None
        self._next: dict[int, int] = {}

    async def read(
        self, positions: Mapping[int, int], wait: float, limit: int
    ) -> dict[int, Sequence[Record]]:
        """Return entries at or after the given position of each partition, in order.

        At most `limit` in all; waits up to `wait` seconds for the first. Raises LogError.
        """
        origin = await self._topic.origin()
        if origin is None or not positions:
            await asyncio.sleep(wait)
            return {}
        try:
            with translated():
                async with asyncio.timeout(self._cluster.answer_seconds + wait):
                    return await self._read(origin, positions, wait, limit)
        except BaseException:
            # The place of a consumer that was cancelled halfway is unknown.
            await self.close()
            raise

    async def _read(
        self, origin: TopicOrigin, positions: Mapping[int, int], wait: float, limit: int
    ) -> dict[int, Sequence[Record]]:
        if self._consumer is None:
            self._consumer = await self._cluster.open_consumer()
        consumer = self._consumer
        here = {self._topic.partition(number): number for number in positions}
        if consumer.assignment() != here.keys():
            consumer.assign(list(here))
            self._next.clear()
        for partition, number in here.items():
            if self._next.get(number) != positions[number]:
                consumer.seek(partition, self._topic.offset(origin, positions[number]))
                self._next[number] = positions[number]
        batches = await consumer.getmany(timeout_ms=max(1, int(wait * 1000)), max_records=limit)
        by_partition: dict[int, Sequence[Record]] = {}
        for partition, records in batches.items():
            number = here[partition]
            by_partition[number] = [record_of(origin, record) for record in records]
            if by_partition[number][0].position < positions[number]:
                # The client resets where there is nothing at an offset.
                raise self._topic.made_again()
            self._next[number] = by_partition[number][-1].position + 1
        return by_partition

    async def close(self) -> None:
        """Close the consumer; the next read opens another one."""
        consumer, self._consumer = self._consumer, None
        self._next.clear()
        if consumer is not None:
            await stop_reading(consumer)
