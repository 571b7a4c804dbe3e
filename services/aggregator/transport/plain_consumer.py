"""The parts of Faust's consumer that are trivial for a log other than Kafka."""

from collections.abc import Mapping
from typing import Any

from faust.transport import consumer
from faust.types import TP


class PlainConsumer(consumer.Consumer):
    """A consumer of partitions known beforehand, whose positions have gaps."""

    async def create_topic(self, *args: Any, **kwargs: Any) -> None:
        """Streams are created by their first entry."""

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def topic_partitions(self, topic: str) -> int | None:
        """Return how many partitions a topic has."""
        return int(self.app.partitions)

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int:
        """Return the requested partition: keys mean nothing here."""
        return partition or 0

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Return where a partition without a commit is read from: its beginning."""
        return dict.fromkeys(partitions, 0)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps mean nothing here."""

    def on_buffer_full(self, tp: TP) -> None:
        """Let a full buffer block the reader instead.

        Faust would pause the partition, and when all are paused it sleeps a whole second.
        """

    def on_buffer_drop(self, tp: TP) -> None:
        """See on_buffer_full."""
