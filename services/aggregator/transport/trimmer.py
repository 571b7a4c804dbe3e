"""Drops counted entries: when they are old, or earlier when memory is short."""

from collections.abc import Collection
from typing import Any

from services.aggregator.transport.broker import Broker
from services.runtime.outage import Outage

TRIM_SECONDS = 10.0
SHORT_TRIM_SECONDS = 2.0
"""The same while memory is short."""


class Trimmer:
    """Trims the log to its retention, but never closer than the replay needs."""

    def __init__(self, broker: Broker, replay_ms: int, retention_ms: int, log: Any) -> None:
        """`log` is the logger to use."""
        self._broker = broker
        self._replay_ms = replay_ms
        self._retention_ms = retention_ms
        self._log = log
        self._short = False
        self._outage = Outage(log, "cannot trim the log", "the log is trimmed")

    @property
    def pause_seconds(self) -> float:
        """How long to wait before the next trim."""
        return SHORT_TRIM_SECONDS if self._short else TRIM_SECONDS

    async def trim(self, partitions: Collection[int]) -> None:
        """Trim partitions; after an error, the next round retries."""
        try:
            await self._trim(partitions)
        except self._broker.unavailable as error:
            self._outage.begins(repr(error))
        else:
            self._outage.ends()

    async def _trim(self, partitions: Collection[int]) -> None:
        shortage = await self._broker.shortage()
        if shortage and not self._short:
            self._log.warning("%s: hits that were counted leave the log early", shortage)
        elif self._short and not shortage:
            self._log.warning("hits that were counted stay in the log again")
        self._short = shortage is not None
        # As committed in the log, not as this process believes.
        committed = await self._broker.committed(partitions)
        for number, position in committed.items():
            keep = await self._broker.rewound(number, position, self._replay_ms)
            await self._broker.trim(keep, number, self._retention_ms, early=self._short)
