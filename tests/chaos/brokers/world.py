"""The world of the other chaos runs, with its log in a cluster of three Kafka brokers."""

import asyncio
from pathlib import Path

from tests.chaos.world import OURS, PARTITIONS, Luot, World
from tests.servers.kafka_cluster import BROKERS, KafkaCluster
from tests.servers.services import Service

TOPIC = "hits"


class BrokersWorld(World):
    """Two ingests, two aggregators, one API; Redis has what is not the log."""

    def __init__(
        self,
        directory: Path,
        session_seconds: float,
        brokers: int = BROKERS,
        *,
        idempotent: bool = False,
    ) -> None:
        """Prepare; with `idempotent`, ingests have a producer that is no more than that."""
        super().__init__(directory, faults=False)
        self._idempotent = idempotent
        self.cluster = KafkaCluster(directory / "kafka", session_seconds, brokers)
        self.settings = {
            "LUOT_LOG_URL": self.cluster.url(TOPIC),
            "LUOT_PARTITIONS": str(PARTITIONS),
        }

    def add_service(self, name: str, luot: Luot = OURS) -> Service:
        """See World."""
        service = super().add_service(name, luot)
        if service.name == "ingest" and self._idempotent:
            service.module = "tests.chaos.brokers.idempotent"
        return service

    async def start(self) -> None:
        await asyncio.to_thread(self.cluster.start)
        await super().start()

    async def heal(self) -> None:
        for broker in self.cluster.brokers:
            broker.thaw()
            if not broker.running:
                await asyncio.to_thread(broker.start)
        await self.cluster.until_complete(TOPIC)
        await super().heal()

    async def stop(self) -> None:
        await super().stop()
        await asyncio.to_thread(self.cluster.kill)
