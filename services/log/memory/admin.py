"""A log in memory as a whole; see LogAdmin."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.log.admin import Copy, KnownImport, KnownImports, LogAdmin, MoveMark
from services.log.import_log import ImportProgress
from services.log.memory.server import MemoryServer


class MemoryAdmin(LogAdmin):
    """See LogAdmin."""

    def __init__(
        self, server: MemoryServer, partitions: int, fits: Callable[[], Awaitable[None]]
    ) -> None:
        self._server = server
        self._partitions = partitions
        self._fits = fits

    async def make(self) -> list[str]:
        """See LogAdmin."""
        return []

    async def fits(self) -> None:
        """See LogAdmin."""
        await self._fits()

    async def mark(self) -> MoveMark | None:
        """See LogAdmin."""
        self._server.check()
        return self._server.mark

    async def set_mark(self, mark: MoveMark | None) -> None:
        """See LogAdmin."""
        self._server.check()
        self._server.mark = mark

    async def seal(self) -> None:
        """See LogAdmin."""
        self._server.check()
        self._server.takes = False

    async def unseal(self) -> None:
        """See LogAdmin."""
        self._server.check()
        self._server.takes = True

    async def producers(self) -> set[str]:
        """See LogAdmin."""
        self._server.check()
        return {producer for _, producer in self._server.sequences}

    async def remember(self, producer_id: str, sequences: Mapping[int, int]) -> None:
        """See LogAdmin."""
        self._server.check()
        known = self._server.sequences
        for number, sequence in sequences.items():
            known[number, producer_id] = max(sequence, known.get((number, producer_id), 0))

    async def imports(self) -> KnownImports:
        """See LogAdmin."""
        self._server.check()
        sealed = self._server.sealed
        known = [
            KnownImport(
                key, None, each.taken, each.hits, each.position, each.salt, key in sealed, None
            )
            for key, each in self._server.imports.items()
        ]
        return KnownImports(known, dict(self._server.salts))

    async def take_imports(self, known: KnownImports) -> None:
        """See LogAdmin."""
        self._server.check()
        for each in known.imports:
            progress = ImportProgress(each.taken, each.hits, each.position, each.salt)
            self._server.imports[each.key] = progress
            if each.sealed:
                self._server.sealed.add(each.key)
        self._server.salts |= known.salts

    async def clear(self, after: int) -> None:
        """See LogAdmin."""
        self._server.check()
        self._server.takes = True
        for number in range(self._partitions):
            self._server.begin_again(number, after)

    async def copy(self, partition: int, copies: Sequence[Copy]) -> int:
        """See LogAdmin."""
        self._server.check()
        for each in copies:
            at = self._server.append(partition, each.value, each.headers)
        return at + 1
