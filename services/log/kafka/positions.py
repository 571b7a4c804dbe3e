"""How far the topic of hits reaches, and how far it was read."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka.admin import RecordsToDelete

from services.log.interface import Extent, LogPositions
from services.log.kafka.cluster import KafkaCluster
from services.log.kafka.errors import translated
from services.log.kafka.holding import Holding
from services.log.kafka.reader import KafkaReader
from services.log.kafka.topic import KafkaTopic, TopicOrigin, time_of_base
from services.log.written_number import partition_and_shard, written_number


class KafkaPositions(LogPositions):
    """Committed positions are committed offsets of the group, as whole positions."""

    def __init__(
        self,
        cluster: KafkaCluster,
        topic: KafkaTopic,
        reader: KafkaReader,
        group: str,
        partitions: int,
    ) -> None:
        self._cluster = cluster
        self._topic = topic
        self._reader = reader
        self._group = group_of(topic.name, group)
        self._written = f"luot-{topic.name}-written-{group}"
        self._of_shard = f"{self._written}-shard-"
        self._partitions = partitions
        self._holding = Holding(cluster, topic, self._group)

    async def committed(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """See LogPositions."""
        return _some(await self._cluster.committed(self._group, self._topic.name), partitions)

    async def set_committed(self, positions: Mapping[int, int | None]) -> None:
        """See LogPositions."""
        await self._topic.created()
        offsets = {number: at or 0 for number, at in positions.items()}
        await self._holding.commit(offsets)

    async def written(self, shards: int | None = 1) -> dict[int, int]:
        """See LogPositions."""
        positions: dict[int, int] = {}
        for shard in await self._shards(shards):
            noted = await self._cluster.committed(self._written_of(shard), self._topic.name)
            positions |= {
                written_number(partition, shard): at for partition, at in _some(noted, None).items()
            }
        return positions

    async def note_written(self, positions: Mapping[int, int]) -> None:
        """See LogPositions."""
        await self._topic.created()
        of_shards: dict[int, dict[int, int]] = {}
        for number, at in positions.items():
            partition, shard = partition_and_shard(number)
            of_shards.setdefault(shard, {})[partition] = at
        for shard, of_shard in of_shards.items():
            group = self._written_of(shard)
            before = _some(await self._cluster.committed(group, self._topic.name), None)
            await self._cluster.commit(
                group,
                self._topic.name,
                {number: at for number, at in of_shard.items() if at > before.get(number, 0)},
            )

    async def forget_written(self, shards: int | None = 1) -> None:
        """See LogPositions."""
        for shard in await self._shards(shards):
            group = self._written_of(shard)
            before = _some(await self._cluster.committed(group, self._topic.name), None)
            await self._cluster.commit(group, self._topic.name, dict.fromkeys(before, 0))

    def _written_of(self, shard: int) -> str:
        # Kafka commits offsets only for partitions that the topic has.
        return f"{self._of_shard}{shard}" if shard else self._written

    async def _shards(self, shards: int | None) -> Iterable[int]:
        """Return the numbers of so many shards, or of all that ever had a group."""
        if shards is not None:
            return range(shards)
        numbers = (
            name.removeprefix(self._of_shard)
            for name in await self._cluster.groups()
            if name.startswith(self._of_shard)
        )
        return [0, *sorted(int(number) for number in numbers if number.isdecimal())]

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """See LogPositions."""
        await self._topic.created()
        async with self._holding.held():
            yield

    async def owners(self) -> dict[int, str]:
        """See LogPositions."""
        return await self._holding.owners()

    async def disown(self) -> None:
        """See LogPositions."""
        await self._holding.disown()

    async def extents(self, partitions: Collection[int] | None = None) -> list[Extent]:
        """See LogPositions."""
        numbers = list(range(self._partitions)) if partitions is None else list(partitions)
        origin = await self._topic.origin()
        if origin is None:
            return [Extent(number, None, 0, 0, False, None) for number in numbers]
        committed = await self.committed(numbers)
        begins, ends = await self._reader.offsets(numbers)
        ends = await self._reader.after_last(begins, ends)
        return [
            self._extent(origin, number, begins[number], ends[number], committed.get(number))
            for number in numbers
        ]

    def _extent(
        self, origin: TopicOrigin, partition: int, begin: int, end: int, committed: int | None
    ) -> Extent:
        return Extent(
            partition=partition,
            first=self._topic.position(origin, begin) if end > begin else None,
            end=self._topic.position(origin, end) if end > begin else 0,
            entries=end - begin,
            trimmed=begin > 0,
            committed=committed,
        )

    async def at_time(self, partition: int, ms: int) -> int:
        """See LogPositions."""
        origin = await self._topic.origin()
        if origin is None:
            return 0
        here = self._topic.partition(partition)
        with translated():
            async with (
                asyncio.timeout(self._cluster.answer_seconds),
                self._cluster.consumer() as consumer,
            ):
                first = (await consumer.offsets_for_times({here: max(0, ms)}))[here]
                if first is not None:
                    return self._topic.position(origin, first.offset)
                return self._topic.position(origin, (await consumer.end_offsets([here]))[here])

    async def time_of(self, partition: int, position: int) -> int:
        """See LogPositions."""
        origin = await self._topic.origin()
        if origin is None:
            return 0
        begins, ends = await self._reader.offsets([partition])
        upto = min(self._topic.offset(origin, position) + 1, ends[partition])
        last = await self._reader.last_before(partition, begins[partition], upto)
        return time_of_base(origin) if last is None else int(last.timestamp)

    async def trim(self, partition: int, before: int) -> bool:
        """See LogPositions."""
        origin = await self._topic.origin()
        if origin is None:
            return False
        begins, ends = await self._reader.offsets([partition])
        offset = min(self._topic.offset(origin, before), ends[partition])
        if offset <= begins[partition]:
            return False
        with translated():
            async with asyncio.timeout(self._cluster.answer_seconds):
                admin = await self._cluster.admin()
                await admin.delete_records(
                    {self._topic.partition(partition): RecordsToDelete(before_offset=offset)}
                )
        return True


def group_of(topic: str, group: str) -> str:
    """Return Kafka's name for a group of readers of a topic."""
    return f"luot-{topic}-{group}"


def _some(numbers: Mapping[int, int], partitions: Collection[int] | None) -> dict[int, int]:
    """Return the requested positions; 0 stands for none."""
    return {
        number: at
        for number, at in numbers.items()
        if at > 0 and (partitions is None or number in partitions)
    }
