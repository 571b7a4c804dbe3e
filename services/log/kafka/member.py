"""A worker as a member of the aggregators' group: Kafka decides which partitions it owns."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.structs import OffsetAndMetadata

from services.log.errors import LogError
from services.log.interface import LogPositions
from services.log.kafka.clients import start_client, stop_reading
from services.log.kafka.cluster import KafkaCluster
from services.log.kafka.errors import translated
from services.log.kafka.topic import KafkaTopic

LEAST_SESSION_MS, LONGEST_SESSION_MS = 6_000, 1_800_000
"""Brokers refuse shorter and longer sessions by default."""
HEARTBEAT_MS = 1_000
"""At most: it is with a heartbeat that members hear of one that has left."""
SHARING_MS = 2_500
"""How long the remaining members need to notice, to rebalance and to begin reading."""
NEVER_MS = (1 << 31) - 1


class KafkaMember:
    """Owns partitions as long as its process lives, and commits what was read of them.

    It reads nothing itself: a member would start reading at an offset, but commits are positions.
    """

    def __init__(
        self, cluster: KafkaCluster, topic: KafkaTopic, group: str, positions: LogPositions
    ) -> None:
        self._cluster = cluster
        self._topic = topic
        self._group = group
        self._positions = positions
        self._consumer: AIOKafkaConsumer | None = None
        self._has_left = False
        self._top: dict[int, int] = {}
        """What is committed for each partition since it has been owned."""

    async def join(self, worker: str, seconds: float) -> None:
        """Join unless already a member; others take over `seconds` after its process died.

        Raises LogError, also while another command holds the partitions.
        """
        if self._consumer is not None:
            if not _has_died(self._consumer):
                return
            await self._stop()
        self._has_left = False
        await self._topic.created()
        # The group needs a moment to rebalance once it has forgotten dead members.
        session_ms = max(LEAST_SESSION_MS, int(seconds * 1000) - SHARING_MS)
        session_ms = min(session_ms, LONGEST_SESSION_MS)
        consumer = AIOKafkaConsumer(
            **self._cluster.options,
            group_id=self._group,
            client_id=worker,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=session_ms,
            heartbeat_interval_ms=min(session_ms // 10, HEARTBEAT_MS),
            max_poll_interval_ms=NEVER_MS,
            request_timeout_ms=self._cluster.milliseconds,
        )
        consumer.subscribe([self._topic.name], listener=_Quiet(self, consumer))
        try:
            with translated():
                # Kafka admits nobody before a killed member's session has expired.
                async with asyncio.timeout(self._cluster.answer_seconds + session_ms / 1000):
                    await start_client(consumer)
        except BaseException:
            await stop_reading(consumer)
            raise
        self._consumer = consumer

    @property
    def owned(self) -> set[int]:
        """Return the partitions that this member owns right now."""
        if self._consumer is None or _has_died(self._consumer):
            return set()
        return {each.partition for each in self._consumer.assignment()}

    def check(self) -> None:
        """Raise LogError while the group cannot be reached.

        The client goes on believing in its assignment, which others have once its session is over.
        """
        if self._consumer is not None and self._consumer._coordinator.coordinator_id is None:  # noqa: SLF001
            raise LogError("Kafka: the coordinator of the group cannot be reached")

    def changed(self) -> None:
        """Forget what was committed: the partitions are newly owned."""
        self._top.clear()

    async def commit(self, positions: Mapping[int, int]) -> set[int]:
        """Commit positions of owned partitions; none decreases. Return these partitions.

        Raises LogError, also while it is no member against its will: it may own them again.
        """
        consumer = self._consumer
        mine = {number: at for number, at in positions.items() if number in self.owned}
        if not self._has_left and (consumer is None or _has_died(consumer)):
            raise LogError("Kafka: this worker is no member of its group now")
        if consumer is None or not mine:
            return set()
        if unknown := mine.keys() - self._top.keys():
            committed = await self._positions.committed(unknown)
            self._top |= {number: committed.get(number, 0) for number in unknown}
        ahead = {number: at for number, at in mine.items() if at > self._top.get(number, 0)}
        if not ahead:
            return set(mine)
        with translated():
            async with self._cluster.in_time():
                await consumer.commit(
                    {
                        self._topic.partition(number): OffsetAndMetadata(at, "")
                        for number, at in ahead.items()
                    }
                )
        self._top |= ahead
        return set(mine)

    async def leave(self) -> None:
        """Give up every partition at once."""
        self._has_left = True
        await self._stop()

    async def _stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop_reading(consumer)


def _has_died(consumer: AIOKafkaConsumer) -> bool:
    """Tell whether the task that keeps a consumer in its group has ended, or waits to be polled.

    It would tell a reader. Others own the partitions by now, or soon.
    """
    keeper: Any = consumer._coordinator  # noqa: SLF001
    return bool(keeper._coordination_task.done() or keeper._pending_exception)  # noqa: SLF001


class _Quiet(ConsumerRebalanceListener):
    """Keeps the client from fetching."""

    def __init__(self, member: KafkaMember, consumer: AIOKafkaConsumer) -> None:
        self._member = member
        self._consumer = consumer

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self._member.changed()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._member.changed()
        self._consumer.pause(*assigned)
