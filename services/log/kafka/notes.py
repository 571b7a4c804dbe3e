"""What a log in Kafka knows of itself, in a compacted topic: partitions, identity, imports.

A note is a key and a value, and the last value of a key counts. Notes that depend on each other
have a scope: whoever changes one fences all concurrent writers, reads all notes, and writes in one
transaction. An open transaction of any scope hides what was committed after its first note, so a
change waits until none is open. So it sees every earlier change of its scope, and an entry of the
log written with a note is in the log exactly when the note is.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced, UnknownError

from services.log.errors import LogError
from services.log.kafka.clients import LEAVE_SECONDS, start_client, stop_now
from services.log.kafka.cluster import MOST_BYTES, READ_UNCOMMITTED, KafkaCluster, notes_topic
from services.log.kafka.errors import translated

TRIES = 5
"""How often a change is retried because another process changed the same scope."""
TRANSACTION_MS = 30_000
_PAUSE_SECONDS = 0.3
_LOOK_SECONDS = (0.005, 0.1)
"""How long to wait between two looks for a commit, at first and at most."""
KNOWN_SECONDS = 12 * 3600
"""How long reading continues from what was read; Kafka keeps tombstones for a day."""


class Written(NamedTuple):
    """An entry written together with notes."""

    partition: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class NotesChange(NamedTuple):
    """What to write.

    notes    returns the notes, by key, for the offsets of the entries; None deletes one
    entries  entries of the log
    """

    notes: Callable[[Sequence[int]], Mapping[str, str | None]]
    entries: Sequence[Written] = ()

    @classmethod
    def of(cls, **notes: str | None) -> "NotesChange":
        """Return a change of notes only."""
        return cls(lambda _: notes)


class KafkaNotes:
    """Reads and changes the notes of a log."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._topic = notes_topic(cluster.address.topic)
        self._notes: dict[str, str] = {}
        self._read_to = 0
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    async def read(self) -> Mapping[str, str]:
        """Return the current notes; none if the log does not exist yet.

        Those that an open transaction hides are missing; see `read_all`.
        """
        async with self._reading:
            with translated():
                async with asyncio.timeout(self._cluster.answer_seconds):
                    await self._read_on()
            return dict(self._notes)

    async def read_all(self) -> Mapping[str, str]:
        """Return the current notes, all that were committed before this was called.

        Raises LogError while an open transaction hides some.
        """
        with translated():
            async with asyncio.timeout(self._cluster.answer_seconds):
                if await self._exists():
                    await self._see_all()
        return await self.read()

    async def _exists(self) -> bool:
        return self._read_to > 0 or self._topic in await self._cluster.topics()

    async def _read_on(self) -> None:
        if not await self._exists():
            return
        here = TopicPartition(self._topic, 0)
        async with self._cluster.consumer() as consumer:
            consumer.assign([here])
            end = (await consumer.end_offsets([here]))[here]
            now = time.monotonic()
            if end < self._read_to or now - self._read_at > KNOWN_SECONDS:
                # The topic was recreated, or something may have been deleted from it.
                self._notes, self._read_to = {}, 0
            consumer.seek(here, self._read_to)
            while (at := await consumer.position(here)) < end:
                records = (await consumer.getmany(here, timeout_ms=100)).get(here, [])
                for record in records:
                    key = record.key.decode()
                    if record.value is None:
                        self._notes.pop(key, None)
                    else:
                        self._notes[key] = record.value.decode()
            self._read_to, self._read_at = at, now

    async def change(
        self, scope: str, change: Callable[[Mapping[str, str]], NotesChange | None]
    ) -> Mapping[str, str]:
        """Write what `change` returns for the current notes; None changes nothing.

        Returns the previous notes. Raises LogError, also if other processes always win the race.
        """
        for _ in range(TRIES):
            try:
                with translated():
                    async with asyncio.timeout(self._cluster.answer_seconds):
                        return await self._changed(scope, change)
            except LogError as error:
                if not _may_begin_again(error):
                    raise
            # Without a pause, two processes would keep fencing each other.
            await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS))  # noqa: S311
        raise LogError(f"other processes change {scope} at the same time")

    async def _changed(
        self, scope: str, change: Callable[[Mapping[str, str]], NotesChange | None]
    ) -> Mapping[str, str]:
        producer = AIOKafkaProducer(
            **self._cluster.options,
            transactional_id=f"luot-{self._topic}-{scope}",
            transaction_timeout_ms=TRANSACTION_MS,
            request_timeout_ms=self._cluster.milliseconds,
            max_request_size=MOST_BYTES,
        )
        try:
            await start_client(producer)
            # This fences others, and aborts what they had begun.
            await producer.begin_transaction()
            before = await self.read_all()
            update = change(before)
            if update is None:
                await producer.abort_transaction()
                return before
            try:
                last = await self._send(producer, update)
            except BaseException:
                # Also out of time: the transaction would hide the notes of others while it is open.
                await _abort(producer)
                raise
            await producer.commit_transaction()
            await self._see(last)
            return before
        finally:
            await stop_now(producer)

    async def _see_all(self) -> None:
        """Wait until readers see everything that is there, so that no note is hidden."""
        here = TopicPartition(self._topic, 0)
        async with self._cluster.consumer(READ_UNCOMMITTED) as everything:
            ends = await everything.end_offsets([here])
        await self._see(ends[here] - 1)

    async def _see(self, offset: int) -> None:
        """Wait until readers see what was committed, a moment later."""
        here = TopicPartition(self._topic, 0)
        pause, longest = _LOOK_SECONDS
        async with self._cluster.consumer() as consumer:
            seen = await consumer.end_offsets([here])
            while seen[here] <= offset:
                await asyncio.sleep(pause)
                pause = min(longest, pause * 1.5)
                seen = await consumer.end_offsets([here])

    async def _send(self, producer: AIOKafkaProducer, update: NotesChange) -> int:
        sent = [
            await producer.send(
                self._cluster.address.topic,
                entry.value,
                partition=entry.partition,
                headers=list(entry.headers),
            )
            for entry in update.entries
        ]
        offsets = [each.offset for each in await asyncio.gather(*sent)]
        noted = [
            await producer.send(
                self._topic,
                None if value is None else value.encode(),
                key=key.encode(),
                partition=0,
            )
            for key, value in update.notes(offsets).items()
        ]
        return max((each.offset for each in await asyncio.gather(*noted)), default=-1)


async def _abort(producer: AIOKafkaProducer) -> None:
    """Abort an open transaction, if brokers answer soon; otherwise they abort it some day."""
    # A fenced client has nothing to abort, and asserts that.
    with suppress(KafkaError, AssertionError, TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS):
            await producer.abort_transaction()


def _may_begin_again(error: LogError) -> bool:
    """Tell whether a failed change may be retried: a retry first reads what became of it.

    A coordinator that is fenced during a commit has no specific error for it.
    """
    cause = error.__cause__
    unnamed = isinstance(cause, KafkaError) and isinstance(cause.__cause__, UnknownError)
    return unnamed or isinstance(cause, ProducerFenced)
