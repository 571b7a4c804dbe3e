"""Who owns the partitions, by the members of the aggregators' group."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import OffsetAndMetadata

from services.log import holds
from services.log.errors import HOLD_SECONDS, HOLDER, HoldLostError, LogInUseError
from services.log.kafka import groups
from services.log.kafka.clients import start_client, stop_reading
from services.log.kafka.cluster import KafkaCluster
from services.log.kafka.errors import translated
from services.log.kafka.member import NEVER_MS
from services.log.kafka.topic import KafkaTopic

Member = tuple[str, str, list[int]]
"""Id, client and partitions of a member of the group."""

SESSION_MS = HOLD_SECONDS * 1000


class HoldingAssignor(RangePartitionAssignor):
    """Assigns all partitions to whoever holds them.

    Kafka refuses members of a group that have no assignment strategy in common, so an aggregator
    cannot join while somebody holds them.
    """

    name = "luot-hold"


class Holding:
    """Holds all partitions as the only member of the group, and tells who owns them."""

    def __init__(self, cluster: KafkaCluster, topic: KafkaTopic, group: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._group = group
        self._holder: AIOKafkaConsumer | None = None
        self._alone: list[Member] = []
        """The group while it is held."""

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Be the only member in the meantime.

        Raises LogInUseError when there is another one, HoldLostError when it was thrown out.
        """
        with translated():
            async with asyncio.timeout(self._cluster.answer_seconds):
                await self._refuse_where_owned()
                holder = AIOKafkaConsumer(
                    self._topic.name,
                    **self._cluster.options,
                    group_id=self._group,
                    client_id=f"{HOLDER}{secrets.token_hex(6)}",
                    enable_auto_commit=False,
                    partition_assignment_strategy=(HoldingAssignor,),
                    session_timeout_ms=SESSION_MS,
                    heartbeat_interval_ms=SESSION_MS // 10,
                    # It never polls, however long it holds them.
                    max_poll_interval_ms=NEVER_MS,
                )
        try:
            with translated():
                async with asyncio.timeout(self._cluster.answer_seconds):
                    await start_client(holder)
                    everything = holder.partitions_for_topic(self._topic.name) or set()
                    if {each.partition for each in holder.assignment()} != everything:
                        raise LogInUseError(f"{HOLDER}just-now")
                    self._alone = await self._members()
            self._holder = holder
            async with holds.kept(self._is_still_alone, HOLD_SECONDS):
                yield
        finally:
            self._holder = None
            await stop_reading(holder)

    async def _is_still_alone(self) -> bool:
        """Tell whether the group is the same: who was thrown out and joined again has a new id."""
        with translated():
            async with asyncio.timeout(self._cluster.answer_seconds):
                return await self._members() == self._alone

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Commit offsets for the group: while it is held, as its only member.

        Raises HoldLostError when it was thrown out.
        """
        if self._holder is None:
            await self._cluster.commit(self._group, self._topic.name, offsets)
        elif offsets:
            if not await self._is_still_alone():
                raise HoldLostError
            with translated():
                async with self._cluster.in_time():
                    try:
                        await self._holder.commit(
                            {
                                self._topic.partition(number): OffsetAndMetadata(at, "")
                                for number, at in offsets.items()
                            }
                        )
                    except (CommitFailedError, IllegalStateError) as error:
                        # The group has other members now, or gave it no partition again.
                        raise HoldLostError from error

    async def _refuse_where_owned(self) -> None:
        for _, client, _ in await self._members():
            raise LogInUseError(client)

    async def owners(self) -> dict[int, str]:
        """Return the worker that owns each partition that has an owner."""
        with translated():
            async with asyncio.timeout(self._cluster.answer_seconds):
                members = await self._members()
        return {number: client for _, client, numbers in members for number in numbers}

    async def disown(self) -> None:
        """Make every member leave."""
        with translated():
            async with asyncio.timeout(self._cluster.answer_seconds):
                admin = await self._cluster.admin()
                coordinator = await admin.find_coordinator(self._group)
                for member, _, _ in await self._members():
                    leave = LeaveGroupRequest(self._group, member)
                    # The client has no method for this request.
                    await admin._send_request(leave, coordinator)  # noqa: SLF001

    async def _members(self) -> list[Member]:
        """Return the id, the client and the partitions of each member."""
        admin = await self._cluster.admin()
        members = await self._cluster.of_groups(lambda: groups.members(admin, self._group))
        return [(one.id, one.client, self._assigned(one.assignment)) for one in members]

    def _assigned(self, assignment: Any) -> list[int]:
        if not assignment:
            return []
        decoded = ConsumerProtocolMemberAssignment.decode(assignment)
        return [
            number
            for topic, numbers in decoded.assignment
            if topic == self._topic.name
            for number in numbers
        ]
