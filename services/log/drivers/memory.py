"""The log in memory, for tests."""

from itertools import chain

from services.log.admin import refuse_moved
from services.log.errors import LogRefusedError
from services.log.interface import Log, LogProducer
from services.log.memory.admin import MemoryAdmin
from services.log.memory.clients import (
    MemoryImportLog,
    MemoryPositions,
    MemoryProducer,
    MemoryReader,
)
from services.log.memory.server import SERVERS, MemoryServer
from services.log.server_check import ServerCheck
from services.log.server_memory import LogMemory
from services.log.texts import LogTexts


class MemoryLog(Log):
    """A log at `memory://name`; the same name is the same log, as long as the process lives."""

    server_name = "memory"
    texts = LogTexts(
        unreachable="start it, or set LUOT_LOG_URL; hits wait in the spool of ingest meanwhile",
        dead_entries="they are in the memory of this process, with the reason",
        nothing_to_create="Nothing needs to be created in memory.",
    )

    def __init__(self, url: str, *, partitions: int, group: str, answer_seconds: float) -> None:
        super().__init__(url, partitions=partitions, group=group, answer_seconds=answer_seconds)
        self.server = SERVERS.setdefault(url.partition("://")[2], MemoryServer())
        self.reader = MemoryReader(self.server, partitions)
        self.positions = MemoryPositions(self.server, group, partitions)
        self.imports = MemoryImportLog(self.server, self.positions, partitions)
        self.admin = MemoryAdmin(self.server, partitions, self._fits)

    def producer(self, answer_seconds: float | None = None) -> LogProducer:
        """See Log."""
        return MemoryProducer(self.server, self.partitions)

    async def create(self) -> None:
        """See Log."""
        self.server.check()
        if self.server.partitions is None:
            self.server.partitions = self.partitions

    async def created_with(self) -> int | None:
        """See Log."""
        self.server.check()
        return self.server.partitions

    async def check(self, *, unsafe_eviction: bool) -> None:
        """See Log."""
        refuse_moved(await self.admin.mark())
        await self._fits()

    async def _fits(self) -> None:
        await self.create()
        if self.server.partitions != self.partitions:
            shown = self.server.partitions
            raise LogRefusedError(
                f"LUOT_PARTITIONS={self.partitions}: this log has {shown} partitions;"
                f" expected {shown}, the number is fixed when the log is created"
            )

    async def identity(self) -> str | None:
        """See Log."""
        self.server.check()
        return self.server.identity

    async def identify(self, identity: str) -> None:
        """See Log."""
        self.server.check()
        self.server.identity = identity

    async def examine(self) -> list[ServerCheck]:
        """See Log."""
        self.server.check()
        return [ServerCheck("memory", True, "in this process; it ends with it")]

    async def memory(self) -> LogMemory:
        """See Log."""
        self.server.check()
        entries = chain.from_iterable(self.server.streams.values())
        return LogMemory(sum(len(entry.value) for entry in entries), 0)

    async def dead_entries(self) -> int:
        """See Log."""
        self.server.check()
        return sum(map(len, self.server.topics.values()))

    async def close(self) -> None:
        """See Log."""
