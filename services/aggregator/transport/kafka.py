"""The log in Kafka as the driver reads it. Leases are the assignments of Kafka's own group."""

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import aiokafka

from services.aggregator.transport import faust_transport
from services.aggregator.transport.broker import Broker
from services.log.drivers.kafka import KafkaLog
from services.log.interface import Record
from services.log.open import ANSWER_SECONDS

ANOTHER = "another worker"


class KafkaBroker(Broker):
    """One worker of a group that Kafka coordinates.

    Kafka shares the partitions among its members, so this worker counts only itself and holds what
    it is assigned: acquiring a partition is seeing that it is assigned.
    """

    def __init__(self, log: KafkaLog) -> None:
        super().__init__(log.reader, log.positions)
        self._log = log

    async def read(
        self, positions: Mapping[int, int], wait: float, limit: int
    ) -> dict[int, Sequence[Record]]:
        """See Broker."""
        return await self._log.follower.read(positions, wait, limit)

    async def commit(self, positions: Mapping[int, int]) -> set[int]:
        """See Broker."""
        return await self._log.member.commit(positions)

    async def shortage(self) -> str | None:
        """See Broker. Kafka does not tell how full its disks are."""
        return None

    async def append(self, topic: str, value: bytes, headers: Mapping[str, bytes]) -> None:
        """See Broker. There is one topic for all: the log's topic of dead entries."""
        await self._log.dead.append(value, headers)

    async def workers(self, worker: str, ttl: float) -> list[str]:
        """See Broker."""
        await self._log.member.join(worker, ttl)
        return [worker]

    async def owners(self, partitions: Collection[int]) -> dict[int, str]:
        """See Broker."""
        return dict.fromkeys(set(partitions) - self._log.member.owned, ANOTHER)

    async def renew(self, worker: str, partitions: Collection[int], ttl: float) -> set[int]:
        """See Broker."""
        self._log.member.check()
        return self._log.member.owned & set(partitions)

    async def acquire(self, worker: str, partition: int, ttl: float) -> bool:
        """See Broker."""
        return partition in self._log.member.owned

    async def release(self, worker: str, partitions: Collection[int], *, leave: bool) -> None:
        """See Broker."""
        if leave:
            await self._log.member.leave()

    async def close(self) -> None:
        """See Broker."""
        await self._log.close()


class Transport(faust_transport.Transport):
    """Faust's transport for a log in Kafka; Faust's own of that name has no positions."""

    # One transport has one member of the group, and closes it.
    is_shared: ClassVar[bool] = True
    default_port: ClassVar[int] = 9092
    driver_version = f"luot-kafka aiokafka={aiokafka.__version__}"

    def create_broker(self) -> Broker:
        """Return the log of the app."""
        app = self.app
        return KafkaBroker(
            KafkaLog(
                app.log_url,
                partitions=app.partitions,
                group=app.conf.id,
                answer_seconds=ANSWER_SECONDS,
            )
        )
