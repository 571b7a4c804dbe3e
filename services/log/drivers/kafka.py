"""The log in Kafka."""

from services.log.admin import refuse_moved
from services.log.errors import LogRefusedError
from services.log.interface import Log, LogProducer
from services.log.kafka.address import KafkaAddress
from services.log.kafka.admin import KafkaAdmin, KafkaParts
from services.log.kafka.cluster import KafkaCluster, notes_topic
from services.log.kafka.dead import KafkaDeadEntries
from services.log.kafka.follower import KafkaFollower
from services.log.kafka.imports import KafkaImportLog
from services.log.kafka.member import KafkaMember
from services.log.kafka.notes import KafkaNotes, NotesChange
from services.log.kafka.positions import KafkaPositions, group_of
from services.log.kafka.producer import KafkaProducer
from services.log.kafka.reader import KafkaReader
from services.log.kafka.safety import (
    DESCRIBE_LOG_DIRS,
    HITS,
    NOTES,
    forgetful,
    lost_markers,
    slow_to_free,
    unsafe,
)
from services.log.kafka.topic import KafkaTopic
from services.log.moved import moved_check
from services.log.server_check import ServerCheck
from services.log.server_memory import LogMemory
from services.log.texts import LogTexts

_IDENTITY = "identity"


class KafkaLog(Log):
    """A log at `kafka://user:password@h1:9092,h2:9092/hits`; `kafkas` is the same over TLS."""

    server_name = "Kafka"
    texts = LogTexts(
        unreachable="start it, or set LUOT_LOG_URL; hits wait in the spool of ingest meanwhile",
        dead_entries="the topic of dead entries says why (header reason); save them, then delete"
        " it",
        nothing_to_create="All topics exist already.",
    )
    tells_time = False

    def __init__(self, url: str, *, partitions: int, group: str, answer_seconds: float) -> None:
        super().__init__(url, partitions=partitions, group=group, answer_seconds=answer_seconds)
        self._cluster = KafkaCluster(KafkaAddress.parse(url), answer_seconds)
        self._notes = KafkaNotes(self._cluster)
        self._topic = KafkaTopic(self._cluster, self._notes, partitions)
        self.reader: KafkaReader = KafkaReader(self._cluster, self._topic, partitions)
        self.positions = KafkaPositions(self._cluster, self._topic, self.reader, group, partitions)
        self.imports: KafkaImportLog = KafkaImportLog(
            self._topic, self._notes, self.reader, self.positions, partitions
        )
        # What an aggregator needs in addition; nothing connects before it is used.
        self.follower = KafkaFollower(self._cluster, self._topic)
        self.dead = KafkaDeadEntries(self._cluster, self._topic)
        parts = KafkaParts(self._cluster, self._topic, self._notes, self.imports, self.dead)
        self.admin = KafkaAdmin(parts, partitions, self._fits)
        self.member = KafkaMember(
            self._cluster, self._topic, group_of(self._topic.name, group), self.positions
        )

    def producer(self, answer_seconds: float | None = None) -> LogProducer:
        """See Log."""
        return KafkaProducer(self._cluster, self._topic, answer_seconds)

    async def create(self) -> None:
        """See Log."""
        await self._topic.created()

    async def created_with(self) -> int | None:
        """See Log."""
        origin = await self._topic.origin()
        return None if origin is None else origin.partitions

    async def check(self, *, unsafe_eviction: bool) -> None:
        """See Log."""
        refuse_moved(await self.admin.mark())
        await self._fits(unsafe_eviction=unsafe_eviction)

    async def _fits(self, *, unsafe_eviction: bool = False) -> None:
        origin = await self._topic.created()
        present = (await self._cluster.topics()).get(self._topic.name)
        if origin.partitions != self.partitions:
            raise LogRefusedError(
                f"LUOT_PARTITIONS={self.partitions}: this log has {origin.partitions} partitions;"
                f" expected {origin.partitions}, the number is fixed when the log is created"
            )
        if present is None:
            raise LogRefusedError(
                f"the topic {self._topic.name} is gone, and with it what was not counted. Give"
                " LUOT_LOG_URL another topic, and make that log with this version"
            )
        if present != origin.partitions:
            raise LogRefusedError(
                f"the topic {self._topic.name} has {present} partitions, but was created with"
                f" {origin.partitions}: a site's hits would be in two of them. Move to a log with"
                " another number; do not add partitions to a topic"
            )
        await self._topic.refuse_if_made_again(self.reader.all_offsets)
        if unsafe_eviction:
            return
        _, brokers = await self._cluster.brokers()
        for check in await self._safety(len(brokers)):
            if check.ok is False:
                raise LogRefusedError(f"Kafka's {check.name}: {check.value}. {check.advice}")

    async def identity(self) -> str | None:
        """See Log."""
        return (await self._notes.read()).get(_IDENTITY)

    async def identify(self, identity: str) -> None:
        """See Log."""
        await self._topic.created()
        await self._notes.change(_IDENTITY, lambda _: NotesChange.of(identity=identity))

    async def examine(self) -> list[ServerCheck]:
        """See Log."""
        cluster, brokers = await self._cluster.brokers()
        named = "1 broker" if len(brokers) == 1 else f"{len(brokers)} brokers"
        checks = [ServerCheck("Kafka", True, f"{named} of {cluster}")]
        checks += lost_markers(await self._cluster.newest_version(DESCRIBE_LOG_DIRS, brokers))
        checks += forgetful(await self._cluster.offsets_minutes(brokers[0]))
        if left := moved_check(await self.admin.mark()):
            # Its settings are those of a sealed log.
            return checks + left
        if await self._topic.origin() is not None:
            checks += await self._safety(len(brokers))
            topic = self._topic.name
            checks += slow_to_free(topic, await self._cluster.settings(topic))
        return checks

    async def _safety(self, brokers: int) -> list[ServerCheck]:
        notes = notes_topic(self._topic.name)
        return [
            check
            for name, required in ((self._topic.name, HITS), (notes, NOTES))
            for check in unsafe(
                name,
                required,
                await self._cluster.settings(name),
                await self._cluster.replicas(name),
                brokers,
            )
        ]

    async def memory(self) -> LogMemory:
        """See Log. Kafka holds entries on its disks, and aiokafka cannot ask how full those are."""
        return LogMemory(0, 0)

    async def dead_entries(self) -> int:
        """See Log."""
        return await self.dead.count()

    async def close(self) -> None:
        """See Log."""
        await self.member.leave()
        await self.follower.close()
        await self.dead.close()
        await self._cluster.close()
