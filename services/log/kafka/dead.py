"""The topic of entries that cannot be decoded."""

from collections.abc import Mapping

from aiokafka import AIOKafkaProducer

from services.log.kafka.clients import stop_now
from services.log.kafka.cluster import MOST_BYTES, KafkaCluster, dead_topic
from services.log.kafka.errors import translated
from services.log.kafka.topic import KafkaTopic

SETTINGS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": str(1 << 30),
    "max.message.bytes": str(MOST_BYTES),
}
"""Outsiders cannot cause such entries, but a fault could cause many."""


class KafkaDeadEntries:
    """Appends and counts them."""

    def __init__(self, cluster: KafkaCluster, topic: KafkaTopic) -> None:
        self._cluster = cluster
        self._topic = topic
        self._name = dead_topic(topic.name)
        self._producer: AIOKafkaProducer | None = None

    async def make(self) -> None:
        """Create the topic if it does not exist yet. Raises LogError."""
        await self._topic.make(self._name, 1, SETTINGS)

    async def append(self, value: bytes, headers: Mapping[str, bytes]) -> None:
        """Append one; it is in the log when this returns. Raises LogError."""
        with translated():
            async with self._cluster.in_time():
                if self._producer is None:
                    await self.make()
                    self._producer = await self._cluster.open_producer()
                await self._producer.send_and_wait(
                    self._name, value, partition=0, headers=list(headers.items())
                )

    async def count(self) -> int:
        """Return how many there are. Raises LogError."""
        return await self._cluster.count(self._name)

    async def close(self) -> None:
        """Close the connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_now(producer)
