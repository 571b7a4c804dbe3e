"""Publishes each second how many visitors and bots are online, for the API to read."""

import asyncio
import logging
import time
from collections.abc import Mapping

from services.aggregator.folding import AnyFold
from services.runtime.outage import Outage
from services.state.errors import StateError
from services.state.online import OnlineCounts
from services.state.state import State

log = logging.getLogger(__name__)

PUBLISH_SECONDS = 1.0
_ANSWER_SECONDS = 5.0


class OnlineBoard:
    """Writes the counts to shared state. A site without any is not written."""

    def __init__(self, redis_url: str) -> None:
        self._state = State.open(redis_url, seconds=_ANSWER_SECONDS, protocol=2)
        self._counts = OnlineCounts(self._state)
        self._outage = Outage(log, "cannot publish who is online", "who is online is published")

    async def publish_forever(self, folds: Mapping[int, AnyFold]) -> None:
        """Publish once a second; a failure is logged and retried the next second."""
        while True:
            now = time.time_ns() // 1_000_000
            counts: dict[str, int] = {}
            for fold in list(folds.values()):
                counts |= fold.online.counts(now)
            if counts:
                try:
                    await self._counts.publish(counts, now)
                except StateError as error:
                    self._outage.begins(repr(error))
                else:
                    self._outage.ends()
            await asyncio.sleep(PUBLISH_SECONDS)

    async def close(self) -> None:
        """Close the connection."""
        await self._state.close()
