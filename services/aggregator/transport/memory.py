"""The Faust transport for `memory://`, for tests."""

from collections.abc import Collection, Mapping
from typing import ClassVar

from services.aggregator.transport import faust_transport
from services.aggregator.transport.broker import Broker
from services.log.memory.clients import MemoryPositions, MemoryReader
from services.log.memory.server import SERVERS, MemoryServer


class MemoryBroker(Broker):
    """One group of readers of a log in memory."""

    def __init__(self, server: MemoryServer, group: str, partitions: int) -> None:
        super().__init__(
            MemoryReader(server, partitions), MemoryPositions(server, group, partitions)
        )
        self._server = server
        self._group = group

    async def commit(self, positions: Mapping[int, int]) -> set[int]:
        """See Broker."""
        self._server.check()
        commits = self._server.commits.setdefault(self._group, {})
        for number, at in positions.items():
            commits[number] = max(at, commits.get(number, 0))
        return set(positions)

    async def shortage(self) -> str | None:
        """See Broker."""
        return None

    async def append(self, topic: str, value: bytes, headers: Mapping[str, bytes]) -> None:
        """See Broker."""
        self._server.check()
        self._server.topics.setdefault(topic, []).append((value, dict(headers)))

    async def workers(self, worker: str, ttl: float) -> list[str]:
        """See Broker."""
        self._server.check()
        now = self._server.clock()
        alive = self._server.alive.setdefault(self._group, {})
        alive[worker] = now
        oldest = now - int(ttl * 1000)
        for name in [name for name, seen in alive.items() if seen <= oldest]:
            del alive[name]
        return sorted(alive)

    async def owners(self, partitions: Collection[int]) -> dict[int, str]:
        """See Broker."""
        return {
            number: owner for number in partitions if (owner := self._owner(number)) is not None
        }

    def _owner(self, partition: int) -> str | None:
        self._server.check()
        return self._server.owner(self._group, partition)

    async def renew(self, worker: str, partitions: Collection[int], ttl: float) -> set[int]:
        """See Broker."""
        mine = {number for number in partitions if self._owner(number) == worker}
        for number in mine:
            self._server.lease(self._group, number, worker, int(ttl * 1000))
        return mine

    async def acquire(self, worker: str, partition: int, ttl: float) -> bool:
        """See Broker."""
        if self._owner(partition) not in (None, worker):
            return False
        self._server.lease(self._group, partition, worker, int(ttl * 1000))
        return True

    async def release(self, worker: str, partitions: Collection[int], *, leave: bool) -> None:
        """See Broker."""
        for number in partitions:
            if self._owner(number) == worker:
                del self._server.leases[self._group, number]
        if leave:
            self._server.alive.get(self._group, {}).pop(worker, None)

    async def close(self) -> None:
        """See Broker."""


class Transport(faust_transport.Transport):
    """Faust's transport for `memory://name`, for tests."""

    default_port: ClassVar[int] = 0
    driver_version = "luot-memory"

    def create_broker(self) -> Broker:
        """Return a reader of the log of that name."""
        server = SERVERS.setdefault(self.app.log_url.partition("://")[2], MemoryServer())
        return MemoryBroker(server, self.app.conf.id, self.app.partitions)
