"""`luot`, whose appends to Kafka are only idempotent: an experiment, which loses its books.

What Kafka calls an idempotent producer has its retries of one request dropped by the brokers, and
many take that for enough. It knows nothing of an append that failed or was given up: whether it is
in the log, nobody can tell, and what is in the spool is appended again.
"""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from services.cli.main import main
from services.log.drivers import kafka
from services.log.entries import LogEntry
from services.log.interface import LogProducer
from services.log.kafka.clients import stop_now
from services.log.kafka.cluster import KafkaCluster
from services.log.kafka.errors import translated
from services.log.kafka.producer import entry_headers
from services.log.kafka.topic import KafkaTopic


class IdempotentProducer(LogProducer):
    """Appends with Kafka's own idempotence alone: no transaction, and no sequence beside it."""

    def __init__(
        self, cluster: KafkaCluster, topic: KafkaTopic, answer_seconds: float | None
    ) -> None:
        self._cluster = cluster
        self._topic = topic
        self._answer_seconds = answer_seconds
        self._client: AIOKafkaProducer | None = None

    async def open(self, producer_id: str) -> dict[int, int]:
        return {}

    async def append(self, entries: Sequence[LogEntry]) -> None:
        with translated():
            async with asyncio.timeout(self._answer_seconds):
                if self._client is None:
                    await self._topic.created()
                    self._client = await self._cluster.open_producer()
                sent = [
                    await self._client.send(
                        self._topic.name,
                        entry.payload,
                        partition=entry.partition,
                        headers=entry_headers(entry),
                    )
                    for entry in entries
                ]
                await asyncio.gather(*sent)

    async def abandon(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await stop_now(client)

    async def forget(self) -> None:
        """It remembers nothing."""

    async def close(self) -> None:
        await self.abandon()


if __name__ == "__main__":
    vars(kafka)["KafkaProducer"] = IdempotentProducer
    main()
