"""The world of the other chaos runs, with its log in a cluster of three Kafka brokers."""

import asyncio
from pathlib import Path

from tests.chaos.proxy import Proxy
from tests.chaos.world import OURS, PARTITIONS, Luot, World
from tests.servers.kafka_cluster import BROKERS, ClusterBroker, KafkaCluster
from tests.servers.redis import free_port
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
        self.networks: dict[ClusterBroker, Proxy] = {}
        """What stands between a broker and all who speak to it, other brokers included."""
        for broker in self.cluster.brokers:
            self.networks[broker] = Proxy(broker.port)
            broker.advertised = self.networks[broker].port = free_port()
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
        for network in self.networks.values():
            await network.start()
        await asyncio.to_thread(self.cluster.start)
        await super().start()

    async def heal(self) -> None:
        for broker, network in self.networks.items():
            network.heal()
            broker.thaw()
            if not broker.running:
                await asyncio.to_thread(broker.start)
        await self.cluster.until_complete(TOPIC)
        await super().heal()

    async def stop(self) -> None:
        await super().stop()
        await asyncio.to_thread(self.cluster.kill)
        for network in self.networks.values():
            await network.stop()
