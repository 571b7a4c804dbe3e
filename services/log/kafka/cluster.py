"""The clients shared by everything that uses one Kafka log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest
from aiokafka.structs import OffsetAndMetadata

from services.log.errors import LogError
from services.log.interface import READ_BYTES
from services.log.kafka import groups
from services.log.kafka.address import KafkaAddress
from services.log.kafka.clients import start_client, stop_now, stop_reading, stopped
from services.log.kafka.errors import translated

LEAST_SECONDS = 5.0
"""A call takes several requests to several brokers, and the first one also connects."""
MOST_BYTES = 32 << 20
"""The largest entry, and the largest request that appends some."""
READ_COMMITTED = "read_committed"
READ_UNCOMMITTED = "read_uncommitted"
"""Isolation levels of a consumer: whether an open transaction ends what it sees of a partition."""
_RETRY_SECONDS = 0.1
_Answer = TypeVar("_Answer")
_OF_TOPIC = 1
"""Kafka's source of a setting: the topic itself."""


class KafkaCluster:
    """Opens clients of a cluster when they are first used, and closes them.

    Nothing here uses Kafka's consumer groups: partitions are assigned manually, and a group's
    offsets are read and written as plain numbers.
    """

    def __init__(self, address: KafkaAddress, answer_seconds: float) -> None:
        self.address = address
        self.answer_seconds = max(LEAST_SECONDS, answer_seconds)
        self._options = address.options()
        self._admin: AIOKafkaAdminClient | None = None
        self._idle: dict[str, list[AIOKafkaConsumer]] = {}
        self._committers: dict[str, AIOKafkaConsumer] = {}
        self._opening = asyncio.Lock()

    @property
    def milliseconds(self) -> int:
        """Return how long a request may take. The client's own default is forty seconds."""
        return int(self.answer_seconds * 1000)

    def in_time(self) -> asyncio.Timeout:
        """Return a timeout that ends an unanswered call with TimeoutError."""
        return asyncio.timeout(self.answer_seconds)

    @property
    def options(self) -> dict[str, Any]:
        """Return the arguments common to all clients."""
        return self._options

    async def admin(self) -> AIOKafkaAdminClient:
        """Return the admin client, for topics and groups."""
        async with self._opening:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**self._options, request_timeout_ms=self.milliseconds)
                try:
                    await asyncio.wait_for(start_client(admin), self.answer_seconds)
                except BaseException:
                    await stopped(admin.close())
                    raise
                self._admin = admin
            return self._admin

    @asynccontextmanager
    async def consumer(self, isolation: str = READ_COMMITTED) -> AsyncIterator[AIOKafkaConsumer]:
        """Lend a consumer without a group; one reader has it at a time."""
        idle = self._idle.setdefault(isolation, [])
        consumer = idle.pop() if idle else await self.open_consumer(isolation=isolation)
        try:
            yield consumer
        except BaseException:
            await stop_reading(consumer)
            raise
        # The next reader assigns its own; it must not fetch in the meantime.
        consumer.pause(*consumer.assignment())
        idle.append(consumer)

    async def open_consumer(
        self, group: str | None = None, isolation: str = READ_COMMITTED
    ) -> AIOKafkaConsumer:
        """Return a consumer, usually a read-committed one, which the caller stops."""
        consumer = AIOKafkaConsumer(
            **self._options,
            group_id=group,
            isolation_level=isolation,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=self.milliseconds,
            fetch_max_bytes=READ_BYTES,
            max_partition_fetch_bytes=READ_BYTES,
        )
        try:
            await asyncio.wait_for(start_client(consumer), self.answer_seconds)
        except BaseException:
            await stop_reading(consumer)
            raise
        return consumer

    async def open_producer(self) -> AIOKafkaProducer:
        """Return a producer without transactions, which the caller stops with `stop_now`."""
        producer = AIOKafkaProducer(
            **self._options,
            enable_idempotence=True,
            request_timeout_ms=self.milliseconds,
            max_request_size=MOST_BYTES,
        )
        try:
            await start_client(producer)
        except BaseException:
            await stop_now(producer)
            raise
        return producer

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return the offsets committed for a group, by partition of a topic."""
        with translated():
            async with asyncio.timeout(self.answer_seconds):
                admin = await self.admin()
                offsets = await self.of_groups(lambda: groups.committed(admin, group))
        return {
            partition.partition: offset
            for partition, offset in offsets.items()
            if partition.topic == topic and offset >= 0
        }

    async def groups(self) -> list[str]:
        """Return the names of all groups, of every log in these brokers."""
        with translated():
            async with self.in_time():
                admin = await self.admin()
                return [name for name, *_ in await self.of_groups(admin.list_consumer_groups)]

    async def of_groups(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Return what brokers say of groups, once they know; the caller sets the time limit."""
        while True:
            try:
                return await ask()
            except KafkaError as error:
                # A new cluster creates the topic of the groups on first use, and after a failover
                # another broker loads it.
                if not error.retriable:
                    raise
                await asyncio.sleep(_RETRY_SECONDS)

    async def commit(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Commit numbers for a group that has no members."""
        if not offsets:
            return
        with translated():
            async with asyncio.timeout(self.answer_seconds):
                async with self._opening:
                    committer = self._committers.get(group)
                    if committer is None:
                        committer = self._committers[group] = await self.open_consumer(group)
                    assign_paused(committer, [TopicPartition(topic, number) for number in offsets])
                    await committer.commit(
                        {
                            TopicPartition(topic, number): OffsetAndMetadata(at, "")
                            for number, at in offsets.items()
                        }
                    )

    async def settings(self, topic: str) -> dict[str, str]:
        """Return the settings of an existing topic."""
        return {name: value for name, value, *_ in await self._described(topic)}

    async def _described(self, topic: str) -> list[tuple[Any, ...]]:
        with translated():
            async with asyncio.timeout(self.answer_seconds):
                admin = await self.admin()
                resource = ConfigResource(ConfigResourceType.TOPIC, topic)
                replies = await admin.describe_configs([resource])
        described: list[tuple[Any, ...]] = []
        for reply in replies:
            for code, message, _, _, entries in reply.resources:
                if code:
                    raise LogError(f"Kafka does not tell of the topic {topic}: {message or code}")
                described += entries
        return described

    async def change_settings(self, topic: str, changes: Mapping[str, str]) -> None:
        """Change settings of a topic. Brokers apply them a moment after this has returned."""
        described = await self._described(topic)
        # Settings that are left out revert to their defaults.
        own = {name: value for name, value, _, source, *_ in described if source == _OF_TOPIC}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {**own, **changes})
        with translated():
            async with asyncio.timeout(self.answer_seconds):
                [reply] = await (await self.admin()).alter_configs([resource])
        for code, message, *_ in reply.resources:
            if code:
                raise LogError(f"Kafka does not set up the topic {topic}: {message or code}")

    async def brokers(self) -> tuple[str, list[int]]:
        """Return the id of the cluster, and the ids of the brokers that are up."""
        with translated():
            async with asyncio.timeout(self.answer_seconds):
                cluster: dict[str, Any] = await (await self.admin()).describe_cluster()
        return str(cluster["cluster_id"]), [broker["node_id"] for broker in cluster["brokers"]]

    async def offsets_minutes(self, broker: int) -> int | None:
        """Return how long a broker remembers what is committed; None where it does not tell."""
        with translated():
            async with self.in_time():
                return await groups.offsets_minutes(await self.admin(), broker)

    async def newest_version(self, api_key: int, brokers: Iterable[int]) -> int:
        """Return the newest version of a request that one of them accepts; -1 if none knows it."""
        with translated():
            async with asyncio.timeout(self.answer_seconds):
                client = (await self.admin())._client  # noqa: SLF001
                replies = [await client.send(each, ApiVersionRequest()) for each in brokers]
        versions = [
            newest for reply in replies for key, _, newest in reply.api_versions if key == api_key
        ]
        return max(versions, default=-1)

    async def replicas(self, topic: str) -> int:
        """Return the lowest replication factor among the partitions of an existing topic."""
        with translated():
            async with asyncio.timeout(self.answer_seconds):
                [described] = await (await self.admin()).describe_topics([topic])
        return min((len(each["replicas"]) for each in described["partitions"]), default=0)

    async def count(self, topic: str) -> int:
        """Return how many entries a topic has, 0 where it does not exist."""
        partitions = [
            TopicPartition(topic, number) for number in range((await self.topics()).get(topic, 0))
        ]
        if not partitions:
            return 0
        with translated():
            async with asyncio.timeout(self.answer_seconds), self.consumer() as consumer:
                begins = await consumer.beginning_offsets(partitions)
                ends = await consumer.end_offsets(partitions)
        return int(sum(ends.values()) - sum(begins.values()))

    async def topics(self) -> dict[str, int]:
        """Return the topics of this log that exist, with their numbers of partitions."""
        mine = self.address.topic
        with translated():
            async with asyncio.timeout(self.answer_seconds):
                admin = await self.admin()
                # Only existing names are requested: asking for another one may create it.
                present = set(await admin.list_topics()) & {
                    mine,
                    notes_topic(mine),
                    dead_topic(mine),
                }
                if not present:
                    return {}
                described = await admin.describe_topics(sorted(present))
        return {each["topic"]: len(each["partitions"]) for each in described}

    async def close(self) -> None:
        """Close every client."""
        clients = [*chain.from_iterable(self._idle.values()), *self._committers.values()]
        self._idle, self._committers = {}, {}
        for client in clients:
            await stop_reading(client)
        admin, self._admin = self._admin, None
        if admin is not None:
            await stopped(admin.close())


def assign_paused(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
    """Let a consumer commit for partitions without fetching.

    What is committed are positions: far beyond the end, from where it would start over at the
    beginning.
    """
    consumer.assign(partitions)
    consumer.pause(*partitions)


def notes_topic(topic: str) -> str:
    """Return the topic for what a log knows of itself, beside that of the hits."""
    return f"{topic}-notes"


def dead_topic(topic: str) -> str:
    """Return the topic of entries that cannot be decoded."""
    return f"{topic}-dead"
