"""What a host of the store must hold before it is used: all counters ever written."""

from collections.abc import Mapping
from typing import Protocol

from services.log.errors import LogError
from services.log.interface import LogPositions
from services.log.written_number import partition_and_shard, written_number
from services.model.partition import partition_of
from services.store.cluster import replication
from services.store.cluster.layout import ShardLayout
from services.store.cluster.one_host import Lag
from services.store.counts import counters
from services.store.interface import Store, StoreError, StoreUnavailableError


class NotesSites(Protocol):
    """Records how far the counters of sites were written."""

    async def note_sites(self, reached: Mapping[str, int]) -> None:
        """Record the position of the newest rows of sites, before it is committed.

        Raises StoreUnavailableError.
        """


class Watermarks:
    """The position of the newest counter row of each partition, kept in the log.

    For one shard, if the store has several: a flush reaches them at different moments, so the
    highest position of a partition over all of them would hide one that lags.
    """

    def __init__(
        self,
        positions: LogPositions,
        partitions: int,
        shard: int = 0,
        layout: ShardLayout | None = None,
    ) -> None:
        self._positions = positions
        self._partitions = partitions
        self._shard = shard
        self._layout = layout
        self._written: dict[int, int] = {}

    async def note_sites(self, reached: Mapping[str, int]) -> None:
        """See NotesSites."""
        await self.note(self._ends(reached))

    async def note(self, positions: Mapping[int, int]) -> None:
        """Record what was written, before it is committed. Raises StoreUnavailableError."""
        if not positions:
            return
        for partition, at in positions.items():
            self._written[partition] = max(at, self._written.get(partition, -1))
        numbers = {written_number(number, self._shard): at for number, at in positions.items()}
        try:
            await self._positions.note_written(numbers)
        except LogError as error:
            raise StoreUnavailableError(f"the log cannot note what was written: {error}") from error

    async def lag(self, host: Store, first: bool) -> str | None:
        """Return what a host lacks; the first of the URL is trusted if nothing was recorded.

        The newest position of a partition says nothing about earlier rows, which may arrive later
        when tables are replicated. So nothing may be pending replication either, but a deletion.
        """
        try:
            lacks = await replication.lacking(host, deletions=False)
            return lacks or await self._behind(host, first)
        except StoreUnavailableError as error:
            return str(error)
        except StoreError as error:
            return f"it has no counters: {error}"

    async def _behind(self, host: Store, first: bool) -> str | None:
        try:
            noted = await self._noted()
        except LogError as error:
            return f"the log cannot say what it must hold: {error}"
        written = {
            partition: max(noted.get(partition, -1), self._written.get(partition, -1))
            for partition in noted.keys() | self._written.keys()
        }
        if not written:
            return None if first else f"nobody knows what it must hold; {self._remedy}"
        ends = self._ends(await counters.positions(host))
        behind = sorted(number for number, at in written.items() if ends.get(number, -1) < at)
        if not behind:
            return None
        numbers = ", ".join(map(str, behind))
        return f"it lags: counters of partitions {numbers} that were written are not in it"

    async def _noted(self) -> dict[int, int]:
        noted = await self._positions.written(1 if self._layout is None else len(self._layout))
        pairs = [(*partition_and_shard(number), at) for number, at in noted.items()]
        return {partition: at for partition, shard, at in pairs if shard == self._shard}

    def _ends(self, reached: Mapping[str, int]) -> dict[int, int]:
        """Return the highest position of each partition, over the sites on this shard.

        May include others: the records of erased sites are on every server.
        """
        ends: dict[int, int] = {}
        for site, at in reached.items():
            if self._layout is None or self._layout.shard_of(site) == self._shard:
                partition = partition_of(site, self._partitions)
                ends[partition] = max(at, ends.get(partition, -1))
        return ends

    @property
    def _remedy(self) -> str:
        if self._layout is None:
            return "put it first in the URL"
        return "start the first replica of its shard, in the order of remote_servers"


class ShardWatermarks:
    """The watermarks of all shards of a cluster; created as the store discovers them."""

    def __init__(self, positions: LogPositions, partitions: int) -> None:
        self._positions = positions
        self._partitions = partitions
        self._of_shards: dict[int, Watermarks] = {}

    def lag_of(self, layout: ShardLayout, shard: int) -> Lag:
        """Return a function that tells what a replica of a shard lacks."""
        known = self._of_shards.get(shard)
        if known is None:
            known = self._of_shards[shard] = Watermarks(
                self._positions, self._partitions, shard, layout
            )
        return known.lag

    async def note_sites(self, reached: Mapping[str, int]) -> None:
        """See NotesSites."""
        for of_shard in self._of_shards.values():
            await of_shard.note_sites(reached)
