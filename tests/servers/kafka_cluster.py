"""A real cluster of three Kafka brokers, each of which can be killed, frozen and started again."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient

from services.log.errors import LogError
from services.log.kafka.errors import translated
from tests.patience import rounds
from tests.servers.kafka import KafkaServer, new_id

BROKERS = 3
SESSION_SECONDS = 9.0
"""After how long without a sign of life a broker's partitions get other leaders: Kafka's own."""


class ClusterBroker(KafkaServer):
    """One of the brokers, and one of the controllers."""

    def __init__(self, directory: Path, node: int, session_seconds: float) -> None:
        super().__init__(directory)
        self.node = node
        self._session_ms = round(session_seconds * 1000)
        self._first: ClusterBroker = self
        self._voters = ""

    def join(self, brokers: Sequence["ClusterBroker"]) -> None:
        """Be one of these; before the first start."""
        self._first = brokers[0]
        self.copies = len(brokers)
        self._voters = ",".join(f"{each.node}@127.0.0.1:{each.controller}" for each in brokers)

    def _place(self) -> tuple[str, ...]:
        return (
            f"node.id={self.node}",
            f"controller.quorum.voters={self._voters}",
            f"broker.session.timeout.ms={self._session_ms}",
            f"broker.heartbeat.interval.ms={self._session_ms // 6}",
            f"replica.lag.time.max.ms={self._session_ms}",
            # Kafka's own ten seconds would hold up readers after a producer that was killed.
            "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000",
        )

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def _format(self, path: Path) -> None:
        if self is self._first:
            self.format(path, "--cluster-id", new_id())
            return
        # What the tool would write; it takes seconds to start.
        shutil.copytree(self._first.data, self.data)
        same = (self.data / "meta.properties").read_text().splitlines()
        mine = {"node.id": self.node, "directory.id": new_id()}
        kept = [line for line in same if line.partition("=")[0] not in mine]
        lines = [*kept, *(f"{key}={value}" for key, value in mine.items())]
        (self.data / "meta.properties").write_text("\n".join(lines) + "\n")

    def size(self, topic: str, partition: int) -> int:
        """Return how many bytes of a partition it has."""
        segments = (self.data / f"{topic}-{partition}").glob("*.log")
        return sum(segment.stat().st_size for segment in segments)

    def quorum(self) -> tuple[int, int]:
        """Return the newest epoch of the controllers that it knows, and who was elected; -1."""
        path = self.data / "__cluster_metadata-0" / "quorum-state"
        try:
            state = json.loads(path.read_text())
        except (OSError, ValueError):
            return -1, -1
        return state["leaderEpoch"], state["leaderId"]


class KafkaCluster:
    """Three brokers, of whose copies two must take what is written; or another number of them."""

    def __init__(
        self, directory: Path, session_seconds: float = SESSION_SECONDS, size: int = BROKERS
    ) -> None:
        self.session_seconds = session_seconds
        self.brokers = [
            ClusterBroker(directory / f"kafka-{node}", node, session_seconds)
            for node in range(1, size + 1)
        ]
        for broker in self.brokers:
            broker.join(self.brokers)

    @property
    def addresses(self) -> list[str]:
        return [f"127.0.0.1:{broker.advertised}" for broker in self.brokers]

    def url(self, topic: str) -> str:
        return f"kafka://{','.join(self.addresses)}/{topic}"

    def start(self) -> Self:
        """Start every broker; returns once each of them knows of all."""
        for broker in self.brokers:
            broker.configure()
        for broker in self.brokers:
            broker.start(wait=False)
        for broker in self.brokers:
            broker.wait_until_open()
        asyncio.run(self.until_complete())
        return self

    def kill(self) -> None:
        """Kill every broker."""
        for broker in self.brokers:
            broker.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    async def until_complete(self, topic: str = "") -> None:
        """Return once every broker is there, and has each copy of a topic."""
        said: Any = None
        for _ in rounds(0.1):
            try:
                said = await self._missing(topic)
            except (LogError, RuntimeError) as error:
                said = error
            if not said:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"the brokers are not complete: {said}")

    async def until_known(self, count: int) -> None:
        """Return once the cluster knows of so many brokers, those that were killed no more."""
        for _ in rounds(0.1):
            with contextlib.suppress(LogError, RuntimeError):
                if len((await self._ask("describe_cluster"))["brokers"]) == count:
                    return
            await asyncio.sleep(0.1)
        raise AssertionError(f"the cluster does not know of {count} brokers")

    async def _missing(self, topic: str) -> list[str]:
        brokers = (await self._ask("describe_cluster"))["brokers"]
        missing = [f"{len(brokers)} brokers"] if len(brokers) < len(self.brokers) else []
        partitions = await self._partitions(topic) if topic else []
        return missing + [
            f"copies of {partition['partition']}: {partition['isr']}"
            for partition in partitions
            if len(partition["isr"]) < len(partition["replicas"])
        ]

    async def leader(self, topic: str, partition: int) -> ClusterBroker:
        """Return who leads a partition. Raises LogError."""
        for each in await self._partitions(topic):
            for one in self.brokers:
                if (each["partition"], each["leader"]) == (partition, one.node):
                    return one
        raise LogError(f"nobody leads {partition} of {topic}")

    async def replicas(self, topic: str, partition: int) -> list[ClusterBroker]:
        """Return the brokers of a partition: its leader, then in the order they would follow."""
        [found] = [each for each in await self._partitions(topic) if each["partition"] == partition]
        nodes = sorted(found["replicas"], key=lambda node: node != found["leader"])
        by_node = {broker.node: broker for broker in self.brokers}
        return [by_node[node] for node in nodes]

    def controller(self) -> ClusterBroker:
        """Return who was elected the active controller last."""
        _, elected = max(broker.quorum() for broker in self.brokers)
        return next((one for one in self.brokers if one.node == elected), self.brokers[0])

    async def _partitions(self, topic: str) -> list[dict[str, Any]]:
        [described] = await self._ask("describe_topics", [topic])
        return list(described["partitions"])

    async def _ask(self, what: str, *given: Any) -> Any:
        with translated():
            admin = AIOKafkaAdminClient(bootstrap_servers=self.addresses, request_timeout_ms=5_000)
            try:
                async with asyncio.timeout(10):
                    await admin.start()
                    return await getattr(admin, what)(*given)
            finally:
                await admin.close()
