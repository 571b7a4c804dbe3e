"""Entries to be appended to the log: batches with a producer and a sequence number."""

import secrets
from collections.abc import Sequence

import msgspec

from services.log import batch
from services.model.hit import Hit
from services.model.partition import partition_of


class LogEntry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One batch to be appended to the log; appending it again changes nothing."""

    partition: int
    producer: str
    sequence: int
    hits: int
    payload: bytes
    version: int = batch.SCHEMA_VERSION


class Batcher:
    """Packs hits into the numbered entries of one producer.

    Entries of one partition must reach the log in the order of their sequence, one append at a
    time: an entry with a smaller sequence than the last one appended counts as a duplicate. So
    a caller has one append in flight, and retries or abandons it before the next.
    """

    def __init__(self, partitions: int, producer: str | None = None) -> None:
        self.partitions = partitions
        self.producer = producer or secrets.token_hex(8)
        self._sequences = [0] * partitions

    def prepare(self, hits: Sequence[Hit]) -> list[LogEntry]:
        """Group hits into entries, one per partition, in the order given.

        Takes at most MAX_HITS hits, so that no partition needs two entries.
        """
        by_partition: dict[int, list[Hit]] = {}
        for hit in hits:
            partition = partition_of(hit.site, self.partitions)
            by_partition.setdefault(partition, []).append(hit)
        return [self._entry(partition, group) for partition, group in by_partition.items()]

    def _entry(self, partition: int, hits: Sequence[Hit]) -> LogEntry:
        payload = batch.encode(hits)
        self._sequences[partition] += 1
        return LogEntry(partition, self.producer, self._sequences[partition], len(hits), payload)
