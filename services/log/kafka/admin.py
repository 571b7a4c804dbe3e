"""Operations on a log in Kafka as a whole: creating, sealing, leaving, and moving into it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.structs import OffsetAndMetadata

from services.log.admin import Copy, KnownImports, LogAdmin, MoveMark
from services.log.kafka.clients import start_client, stop_now, stop_reading
from services.log.kafka.cluster import READ_UNCOMMITTED, KafkaCluster, assign_paused
from services.log.kafka.dead import KafkaDeadEntries
from services.log.kafka.errors import translated
from services.log.kafka.imports import KafkaImportLog
from services.log.kafka.notes import KafkaNotes, NotesChange
from services.log.kafka.producer import TRANSACTION_MS, producer_group
from services.log.kafka.safety import HITS, HITS_MADE
from services.log.kafka.topic import MOVE, KafkaTopic

_SIZE = "max.message.bytes"
_SEALED_BYTES = 78
"""The size of a transaction end marker; the headers of an entry alone make a batch larger."""
_PROBE = bytes(2 * _SEALED_BYTES)
_OBEY_SECONDS = 30.0
"""How long brokers may take to apply a setting, or abandoned transactions to end."""
_LOOK_SECONDS = 0.05
_TO_END = -1


class KafkaParts(NamedTuple):
    """What a KafkaAdmin works with."""

    cluster: KafkaCluster
    topic: KafkaTopic
    notes: KafkaNotes
    imports: KafkaImportLog
    dead: KafkaDeadEntries


class KafkaAdmin(LogAdmin):
    """See LogAdmin.

    A topic whose batches may have at most 78 bytes is sealed: those of entries have 84 with nothing
    but their headers, while transaction end markers just fit, and are appended. Kafka checks the
    size of a batch as it arrives, before recompressing it. The leader of a partition applies the
    limit from one append to the next, and another broker becomes leader only once it knows it, too.
    """

    def __init__(
        self, parts: KafkaParts, partitions: int, fits: Callable[[], Awaitable[None]]
    ) -> None:
        self._parts = parts
        self._cluster = parts.cluster
        self._topic = parts.topic
        self._partitions = partitions
        self._fits = fits

    async def make(self) -> list[str]:
        """See LogAdmin."""
        before = await self._cluster.topics()
        await self._topic.created()
        await self._parts.dead.make()
        return sorted((await self._cluster.topics()).keys() - before.keys())

    async def fits(self) -> None:
        """See LogAdmin."""
        await self._fits()

    async def mark(self) -> MoveMark | None:
        """See LogAdmin."""
        return await self._topic.mark()

    async def set_mark(self, mark: MoveMark | None) -> None:
        """See LogAdmin."""
        await self._topic.created()
        text = None if mark is None else msgspec.json.encode(mark).decode()
        await self._parts.notes.change(MOVE, lambda _: NotesChange.of(move=text))

    async def seal(self) -> None:
        """See LogAdmin."""
        await self._topic.created()
        await self._cluster.change_settings(self._topic.name, {_SIZE: str(_SEALED_BYTES)})
        for number in range(self._partitions):
            await self._until(partial(self._refuses, number), _OBEY_SECONDS)
        # Entries of a transaction that is open now are committed, or never will be.
        await self._until(self._is_decided, _OBEY_SECONDS + TRANSACTION_MS / 1000)

    async def _until(self, seen: Callable[[], Awaitable[bool]], seconds: float) -> None:
        with translated():
            async with asyncio.timeout(seconds):
                while not await seen():  # noqa: ASYNC110 - a broker tells nobody
                    await asyncio.sleep(_LOOK_SECONDS)

    async def _refuses(self, number: int) -> bool:
        """Tell whether a partition rejects batches; one that it accepts is never an entry."""
        probe = AIOKafkaProducer(
            **self._cluster.options,
            transactional_id=f"luot-{self._topic.name}-seal",
            transaction_timeout_ms=TRANSACTION_MS,
            request_timeout_ms=self._cluster.milliseconds,
        )
        try:
            await start_client(probe)
            await probe.begin_transaction()
            try:
                await probe.send_and_wait(self._topic.name, _PROBE, partition=number)
            except MessageSizeTooLargeError:
                return True
            finally:
                with suppress(KafkaError):
                    await probe.abort_transaction()
            return False
        finally:
            await stop_now(probe)

    async def _is_decided(self) -> bool:
        here = [self._topic.partition(number) for number in range(self._partitions)]
        everything = await self._cluster.open_consumer(isolation=READ_UNCOMMITTED)
        try:
            ends = await everything.end_offsets(here)
        finally:
            await stop_reading(everything)
        async with self._cluster.consumer() as consumer:
            return bool(await consumer.end_offsets(here) == ends)

    async def unseal(self) -> None:
        """See LogAdmin."""
        await self._cluster.change_settings(self._topic.name, {_SIZE: HITS[_SIZE]})

    async def producers(self) -> set[str]:
        """See LogAdmin. Kafka lists them for all logs in the cluster."""
        prefix = producer_group("")
        return {
            name.removeprefix(prefix)
            for name in await self._cluster.groups()
            if name.startswith(prefix) and await self._cluster.committed(name, self._topic.name)
        }

    async def remember(self, producer_id: str, sequences: Mapping[int, int]) -> None:
        """See LogAdmin."""
        group = producer_group(producer_id)
        committed = await self._cluster.committed(group, self._topic.name)
        higher = {
            self._topic.partition(number): OffsetAndMetadata(sequence, "")
            for number, sequence in sequences.items()
            if sequence > committed.get(number, 0)
        }
        if not higher:
            return
        with translated():
            async with self._cluster.in_time():
                committer = await self._cluster.open_consumer(group)
                try:
                    assign_paused(committer, list(higher))
                    await committer.commit(higher)
                finally:
                    await stop_reading(committer)

    async def imports(self) -> KnownImports:
        """See LogAdmin."""
        return await self._parts.imports.known()

    async def take_imports(self, known: KnownImports) -> None:
        """See LogAdmin."""
        await self._parts.imports.take(known)

    async def clear(self, after: int) -> None:
        """See LogAdmin."""
        await self._topic.created()
        await self._cluster.change_settings(self._topic.name, HITS_MADE)
        for number in range(self._partitions):
            # It is trimmed with the others: readers see that the log does not reach back to it.
            await self._until(partial(self._takes, number), _OBEY_SECONDS)
        with translated():
            async with self._cluster.in_time():
                admin = await self._cluster.admin()
                whole = RecordsToDelete(before_offset=_TO_END)
                await admin.delete_records(
                    {self._topic.partition(number): whole for number in range(self._partitions)}
                )
        await self._topic.begin_after(after)

    async def _takes(self, number: int) -> bool:
        try:
            await self._append(number, [Copy(_PROBE, {})])
        except MessageSizeTooLargeError:
            return False
        return True

    async def copy(self, partition: int, copies: Sequence[Copy]) -> int:
        """See LogAdmin."""
        origin = await self._topic.created()
        with translated():
            async with self._cluster.in_time():
                return self._topic.position(origin, await self._append(partition, copies)) + 1

    async def _append(self, number: int, copies: Collection[Copy]) -> int:
        """Append entries, and return the offset of the last one."""
        producer = await self._cluster.open_producer()
        sent: list[asyncio.Future[Any]] = []
        try:
            for each in copies:
                future = await producer.send(
                    self._topic.name,
                    each.value,
                    partition=number,
                    headers=list(each.headers.items()),
                )
                sent.append(future)
            offsets = await asyncio.gather(*sent)
            return int(offsets[-1].offset)
        finally:
            await stop_now(producer)
            for future in sent:
                future.cancel()
            await asyncio.gather(*sent, return_exceptions=True)
