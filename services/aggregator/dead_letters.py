"""Dead letters: entries without a valid batch go to a separate stream, for operators to see."""

import logging
from typing import Any

from services.aggregator import metrics
from services.aggregator.folding import AnyReads
from services.aggregator.transport.runs import RunEntry
from services.log import batch

log = logging.getLogger(__name__)


class DeadLetters:
    """Decodes entries, and copies those that cannot be decoded to the topic of dead letters."""

    def __init__(self, topic: Any) -> None:
        self._topic = topic

    async def read(
        self, partition: int, entry: RunEntry, into: AnyReads, *, replayed: bool
    ) -> bool:
        """Add an entry to those that were read; tell whether it could be decoded.

        If not, it is copied, unless replayed.
        """
        headers = entry.headers
        try:
            hits, version = _number(headers, "n"), _number(headers, "v")
            into.add(entry.position, entry.time_ms, entry.value, hits, version)
        except batch.BatchError as error:
            if not replayed:
                await self._keep(partition, entry, str(error))
            return False
        return True

    async def _keep(self, partition: int, entry: RunEntry, reason: str) -> None:
        log.error("entry %d of partition %d: %s", entry.position, partition, reason)
        metrics.dead_entries.inc()
        headers = {
            **entry.headers,
            "reason": reason.encode(),
            "partition": str(partition).encode(),
            "position": str(entry.position).encode(),
        }
        await self._topic.send(value=entry.value, headers=headers)


def _number(headers: dict[str, bytes], name: str) -> int:
    try:
        return int(headers[name])
    except (KeyError, ValueError):
        raise batch.BatchError(
            f"field {name} is {headers.get(name)!r}, expected a number"
        ) from None
