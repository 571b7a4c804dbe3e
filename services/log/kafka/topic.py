"""The topic of the hits: how it is created, and how its offsets map to positions."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from services.log.admin import MoveMark
from services.log.errors import LogError, LogRefusedError
from services.log.kafka.cluster import KafkaCluster, notes_topic
from services.log.kafka.errors import translated
from services.log.kafka.notes import KafkaNotes, NotesChange
from services.log.kafka.safety import COPIES, HITS_MADE, LEAST_COPIES, NOTES_MADE

MOVE = "move"
"""The note of a move of the log."""
_NOTE = "log"
_REACHED = "reached"
_MADE_AGAIN = "made-again"
_TIME_BITS = 20
TopicOffsets = tuple[Mapping[int, int], Mapping[int, int]]
"""The first offset of each partition, and that after its last one."""


def _reach(notes: Mapping[str, str]) -> dict[int, int]:
    """Return how far each partition reached when that was noted last."""
    return msgspec.json.decode(notes.get(_REACHED, "{}"), type=dict[int, int])


def _further(notes: Mapping[str, str], ends: Mapping[int, int]) -> NotesChange:
    """Return the change that notes these ends, or what another process noted since."""
    before = _reach(notes)
    reach = {number: max(end, before.get(number, 0)) for number, end in ends.items()}
    return NotesChange.of(**{_REACHED: msgspec.json.encode(reach).decode()})


class TopicOrigin(msgspec.Struct, frozen=True):
    """What was recorded when the log was created.

    partitions  how many it has
    base        the position of offset 0: later than every position of a log before this one
    """

    partitions: int
    base: int


class KafkaTopic:
    """A position is an offset plus the base of the log, which is recorded in the log itself."""

    def __init__(self, cluster: KafkaCluster, notes: KafkaNotes, partitions: int) -> None:
        self._cluster = cluster
        self._notes = notes
        self._partitions = partitions
        self._origin: TopicOrigin | None = None
        self._was_made_again = False
        self.highest: dict[int, int] = {}
        """By partition: the highest offset at which this process has appended an entry."""

    @property
    def name(self) -> str:
        """Return the topic of the hits."""
        return self._cluster.address.topic

    def partition(self, number: int) -> TopicPartition:
        """Return what the client calls a partition."""
        return TopicPartition(self.name, number)

    async def origin(self) -> TopicOrigin | None:
        """Return what was recorded when the log was created; None while it does not exist."""
        if self._origin is None:
            noted = (await self._notes.read()).get(_NOTE)
            if noted is not None:
                self._origin = msgspec.json.decode(noted, type=TopicOrigin)
        return self._origin

    async def created(self) -> TopicOrigin:
        """Return what was recorded when the log was created, creating it if needed."""
        origin = await self.origin()
        if origin is not None:
            return origin
        await self._make_topics()
        mine = self._noted(time.time_ns() // 1_000_000)
        await self._notes.change(
            _NOTE, lambda notes: None if _NOTE in notes else NotesChange.of(**{_NOTE: mine})
        )
        origin = await self.origin()
        if origin is None:
            raise LogError("what was noted of the log is gone")
        return origin

    def _noted(self, ms: int) -> str:
        origin = TopicOrigin(self._partitions, ms << _TIME_BITS)
        return msgspec.json.encode(origin).decode()

    async def begin_after(self, position: int) -> None:
        """Let every position be after one of another log; the topic must have no entries."""
        ms = max(time.time_ns() // 1_000_000, (position >> _TIME_BITS) + 1)
        mine = self._noted(ms)
        await self._notes.change(_NOTE, lambda _: NotesChange.of(**{_NOTE: mine}))
        self._origin = None

    async def mark(self) -> MoveMark | None:
        """Return what is known of the last move of the log."""
        noted = (await self._notes.read()).get(MOVE)
        return None if noted is None else msgspec.json.decode(noted, type=MoveMark)

    async def refuse_if_made_again(self, offsets: Callable[[], Awaitable[TopicOffsets]]) -> None:
        """Record how far the topic reaches. Raises LogRefusedError if it reached further before.

        Then it was deleted and recreated by somebody: its positions would be those of hits that
        were counted already.
        """
        # In this order: another process may note how far it reaches at the same time.
        notes = await self._notes.read()
        _, ends = await offsets()
        before = _reach(notes)
        if self._was_made_again and _MADE_AGAIN not in notes:
            # The recorded reach is older: it would be reached again some day.
            await self._notes.change(_MADE_AGAIN, lambda _: NotesChange.of(**{_MADE_AGAIN: "yes"}))
        if (
            self._was_made_again
            or _MADE_AGAIN in notes
            or any(ends.get(number, 0) < end for number, end in before.items())
        ):
            raise LogRefusedError(self._made_again())
        if ends != before:
            # A note that waits for an abandoned transaction must not keep hits from being taken:
            # the next check makes up for it.
            with suppress(LogError):
                await self._notes.change(_REACHED, partial(_further, ends=ends))

    def follow(self, offsets: dict[int, int], sent: Iterable[tuple[int, int]]) -> None:
        """Record entries that are not committed yet, by partition and offset.

        offsets  of entries that were appended before; those of each partition must be lower

        Raises LogError if they are not, from then on: this is not the topic that was appended to
        before.
        """
        if self._was_made_again:
            raise self.made_again()
        for partition, offset in sent:
            if 0 <= offset <= offsets.get(partition, -1):
                raise self.made_again()
            offsets[partition] = offset
            self.highest[partition] = max(offset, self.highest.get(partition, -1))

    def made_again(self) -> LogError:
        """Return why nothing more is appended or read, now and after the next check."""
        self._was_made_again = True
        return LogError(self._made_again())

    def _made_again(self) -> str:
        return (
            f"the topic {self.name} was deleted and made again, or its brokers have lost what they"
            " had taken: its hits would be taken for those that are counted already. Give"
            " LUOT_LOG_URL a topic that never was"
        )

    async def _make_topics(self) -> None:
        topics = {
            self.name: (self._partitions, HITS_MADE),
            notes_topic(self.name): (1, NOTES_MADE),
        }
        for name, (partitions, settings) in topics.items():
            await self.make(name, partitions, settings)

    async def make(self, name: str, partitions: int, settings: Mapping[str, str]) -> None:
        """Create a topic of this log if it does not exist yet, as safe as the cluster allows."""
        if name in await self._cluster.topics():
            return
        _, brokers = await self._cluster.brokers()
        replicas = min(COPIES, len(brokers))
        safe = {"min.insync.replicas": str(min(LEAST_COPIES, replicas))}
        topic = NewTopic(name, partitions, replicas, topic_configs=dict(settings) | safe)
        admin = await self._cluster.admin()
        with translated():
            reply = await admin.create_topics([topic])
            for _, code, message in reply.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise LogError(f"Kafka does not make the topic {name}: {message or code}")
        await self._settle(name)

    async def _settle(self, name: str) -> None:
        """Wait until every broker that is asked knows a new topic."""
        with translated():
            async with self._cluster.in_time():
                while name not in await self._cluster.topics():  # noqa: ASYNC110 - a broker tells nobody
                    await asyncio.sleep(0.05)

    def position(self, origin: TopicOrigin, offset: int) -> int:
        """Return the position of an offset."""
        return origin.base + offset

    def offset(self, origin: TopicOrigin, position: int) -> int:
        """Return the offset of a position, 0 for what is before the log."""
        return max(0, position - origin.base)


def time_of_base(origin: TopicOrigin) -> int:
    """Return when the log was created, in ms since 1970."""
    return origin.base >> _TIME_BITS
