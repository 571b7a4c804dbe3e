"""What a host of the store must hold before it is used: all that was ever written of counters."""

from collections.abc import Mapping

from services.log.errors import LogError
from services.log.interface import LogPositions
from services.model.partition import partition_of
from services.store import counters, replication
from services.store.interface import Store, StoreError, StoreUnavailableError


class Watermarks:
    """The position of the newest counter row of each partition, kept in the log."""

    def __init__(self, positions: LogPositions, partitions: int) -> None:
        self._positions = positions
        self._partitions = partitions
        self._written: dict[int, int] = {}

    async def note(self, positions: Mapping[int, int]) -> None:
        """Note what was written, before it is committed. Raises StoreUnavailableError."""
        if not positions:
            return
        for partition, at in positions.items():
            self._written[partition] = max(at, self._written.get(partition, -1))
        try:
            await self._positions.note_written(positions)
        except LogError as error:
            raise StoreUnavailableError(f"the log cannot note what was written: {error}") from error

    async def lag(self, host: Store, first: bool) -> str | None:
        """Return what a host lacks; the first of the URL is trusted where nothing was noted.

        The newest position of a partition says nothing of the rows before it, which may come
        later where tables are replicated. So nothing may be on its way either.
        """
        try:
            return await replication.lacking(host) or await self._behind(host, first)
        except StoreUnavailableError as error:
            return str(error)
        except StoreError as error:
            return f"it has no counters: {error}"

    async def _behind(self, host: Store, first: bool) -> str | None:
        try:
            noted = await self._positions.written()
        except LogError as error:
            return f"the log cannot say what it must hold: {error}"
        written = {
            partition: max(noted.get(partition, -1), self._written.get(partition, -1))
            for partition in noted.keys() | self._written.keys()
        }
        if not written:
            return None if first else "nobody knows what it must hold; put it first in the URL"
        held = await counters.positions(host)
        ends: dict[int, int] = {}
        for site, at in held.items():
            partition = partition_of(site, self._partitions)
            ends[partition] = max(at, ends.get(partition, -1))
        behind = sorted(number for number, at in written.items() if ends.get(number, -1) < at)
        if not behind:
            return None
        numbers = ", ".join(map(str, behind))
        return f"it lags: counters of partitions {numbers} that were written are not in it"
