"""`luot`, whose ingest kills itself at a point of a transaction that a test names.

The file at `DIES_AT` has the name of the point, once it is there.
"""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from services.cli.main import main
from services.log.kafka import producer

SENT = "sent"
"""Its records are in the log, and the transaction does not know its sequences."""
NOT_COMMITTED = "not committed"
"""All of the transaction is there but its end."""
COMMITTED = "committed"
"""It has ended, and nobody was told."""


class DyingProducer(AIOKafkaProducer):  # type: ignore[misc]
    """Appends, unless it dies."""

    async def send_offsets_to_transaction(
        self, offsets: Mapping[TopicPartition, Any], group_id: str
    ) -> None:
        await self.flush()
        _die_at(SENT)
        await super().send_offsets_to_transaction(offsets, group_id)

    async def commit_transaction(self) -> None:
        _die_at(NOT_COMMITTED)
        await super().commit_transaction()
        _die_at(COMMITTED)


def _die_at(point: str) -> None:
    switch = Path(os.environ["DIES_AT"])
    if switch.exists() and switch.read_text() == point:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    vars(producer)["AIOKafkaProducer"] = DyingProducer
    main()
