"""The world of the other chaos runs, with its log in a cluster of three Kafka brokers."""

import asyncio
import time
from pathlib import Path

from services.log.errors import LogError
from services.log.open import open_log
from tests.chaos.world import World
from tests.patience import rounds
from tests.servers.kafka_cluster import KafkaCluster
from tests.servers.services import Service

TOPIC = "hits"
PARTITIONS = 8


class BrokersWorld(World):
    """Two ingests, two aggregators, one API; Redis has what is not the log."""

    def __init__(self, directory: Path, session_seconds: float) -> None:
        super().__init__(directory, faults=False)
        self.cluster = KafkaCluster(directory / "kafka", session_seconds)
        self.settings = {
            "LUOT_LOG_URL": self.cluster.url(TOPIC),
            "LUOT_PARTITIONS": str(PARTITIONS),
        }
        self.takeovers: list[float] = []
        """Seconds from the end of a worker until others owned what was its."""

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

    async def until_taken_over(self, dead: Service, pid: int) -> float:
        """Return how long it takes until none of the partitions is that of a worker's process."""
        began = time.monotonic()
        log = open_log(self.cluster.url(TOPIC), partitions=PARTITIONS)
        owners: dict[int, str] = {}
        try:
            for _ in rounds(0.1):
                try:
                    owners = await log.positions.owners()
                except LogError:
                    owners = {}
                if len(owners) == PARTITIONS and not any(
                    f"-{pid}-" in owner for owner in owners.values()
                ):
                    seconds = time.monotonic() - began
                    self.takeovers.append(seconds)
                    return seconds
                await asyncio.sleep(0.1)
        finally:
            await log.close()
        raise AssertionError(f"nobody took over from {dead.name}: {owners}")
