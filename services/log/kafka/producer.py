"""Appends batches to Kafka in transactions, so that a retry cannot count twice.

The id of a producer is its transactional id. One transaction holds the entries of one append, of
all partitions, and the sequence of each partition as a committed offset of the producer's own
group. Whoever reopens an id resolves what was in doubt, and reads which sequences are in the log.
Kafka's idempotent producer alone would not suffice: it knows nothing after a restart.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata

from services.log.entries import LogEntry
from services.log.interface import LogProducer
from services.log.kafka.clients import start_client, stop_now
from services.log.kafka.cluster import MOST_BYTES, KafkaCluster
from services.log.kafka.errors import translated
from services.log.kafka.topic import KafkaTopic

TRANSACTION_MS = 10_000
"""How long the open transaction of a killed producer blocks readers, unless its id is reopened."""


class _Opened(NamedTuple):
    """A client with the id of a producer.

    last     the last sequence in each partition
    offsets  of the last entry in each partition before this client's next append
    """

    client: AIOKafkaProducer
    last: dict[int, int]
    offsets: dict[int, int]


class KafkaProducer(LogProducer):
    """Appends entries in one transaction per producer.

    Brokers remember its sequences for `offsets.retention.minutes`, whether its id is open or not.
    """

    def __init__(
        self, cluster: KafkaCluster, topic: KafkaTopic, answer_seconds: float | None
    ) -> None:
        self._cluster = cluster
        self._topic = topic
        self._answer_seconds = answer_seconds
        self._opened: dict[str, _Opened] = {}

    async def open(self, producer_id: str) -> dict[int, int]:
        """See LogProducer."""
        with translated():
            async with asyncio.timeout(self._answer_seconds):
                await self._leave(producer_id)
                return dict((await self._client(producer_id)).last)

    async def append(self, entries: Sequence[LogEntry]) -> None:
        """See LogProducer."""
        by_producer: dict[str, list[LogEntry]] = {}
        for entry in entries:
            by_producer.setdefault(entry.producer, []).append(entry)
        with translated():
            async with asyncio.timeout(self._answer_seconds):
                for producer_id, mine in by_producer.items():
                    await self._append(producer_id, mine)

    async def _append(self, producer_id: str, entries: Sequence[LogEntry]) -> None:
        client, last, offsets = await self._client(producer_id)
        reached = dict(last)
        fresh: list[LogEntry] = []
        for entry in entries:
            if entry.sequence > reached.get(entry.partition, 0):
                reached[entry.partition] = entry.sequence
                fresh.append(entry)
        if not fresh:
            return
        sent: list[asyncio.Future[Any]] = []
        try:
            await client.begin_transaction()
            for entry in fresh:
                record = client.send(
                    self._topic.name,
                    entry.payload,
                    partition=entry.partition,
                    headers=entry_headers(entry),
                )
                # One at a time: nothing that was sent before a failure is left unawaited.
                sent.append(await record)
            sequences = {
                self._topic.partition(number): OffsetAndMetadata(reached[number], "")
                for number in {entry.partition for entry in fresh}
            }
            await client.send_offsets_to_transaction(sequences, producer_group(producer_id))
            appended = await asyncio.gather(*sent)
            self._topic.follow(offsets, [(each.partition, each.offset) for each in appended])
            await client.commit_transaction()
        except BaseException:
            # After a failure a client is unusable; the next one with its id decides what is in
            # doubt.
            self._opened.pop(producer_id, None)
            await stop_now(client)
            for each in sent:
                each.cancel()
            await asyncio.gather(*sent, return_exceptions=True)
            raise
        last.update(reached)

    async def _client(self, producer_id: str) -> _Opened:
        opened = self._opened.get(producer_id)
        if opened is None:
            await self._topic.created()
            offsets = dict(self._topic.highest)
            client = AIOKafkaProducer(
                **self._cluster.options,
                transactional_id=f"luot-{self._topic.name}-{producer_id}",
                transaction_timeout_ms=TRANSACTION_MS,
                request_timeout_ms=self._cluster.milliseconds,
                max_request_size=MOST_BYTES,
            )
            try:
                await start_client(client)
                # Only now is nothing of this id in doubt any more.
                await client.begin_transaction()
                await client.abort_transaction()
                group = producer_group(producer_id)
                last = await self._cluster.committed(group, self._topic.name)
            except BaseException:
                await stop_now(client)
                raise
            opened = self._opened[producer_id] = _Opened(client, last, offsets)
        return opened

    async def _leave(self, producer_id: str) -> None:
        opened = self._opened.pop(producer_id, None)
        if opened is not None:
            await stop_now(opened.client)

    async def abandon(self) -> None:
        """See LogProducer."""
        opened, self._opened = self._opened, {}
        for each in opened.values():
            await stop_now(each.client)

    async def forget(self) -> None:
        """See LogProducer. Kafka expires the sequences of a group by itself."""

    async def close(self) -> None:
        """See LogProducer."""
        await self.abandon()


def producer_group(producer_id: str) -> str:
    """Return the group whose committed offsets are the sequences of a producer."""
    return f"luot-producer-{producer_id}"


def entry_headers(entry: LogEntry) -> list[tuple[str, bytes]]:
    """Return the headers of an entry as they are in the log."""
    return [
        ("v", str(entry.version).encode()),
        ("n", str(entry.hits).encode()),
        ("p", entry.producer.encode()),
        ("s", str(entry.sequence).encode()),
    ]
