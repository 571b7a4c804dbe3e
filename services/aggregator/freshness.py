"""Measures how fresh the counters are: the age of each hit when its rows are in the store."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from services.aggregator import metrics
from services.aggregator.folding import AnyFolded
from services.log.errors import LogError


class Freshness:
    """Observes hits that were flushed, by the clock of the log, which also stamped them."""

    def __init__(
        self, log_now: Callable[[], Awaitable[int]], clock: Callable[[], float] = time.time
    ) -> None:
        """`log_now` asks the log for its time in ms; our own clock is the fallback."""
        self._log_now = log_now
        self._clock = clock

    async def observe(self, runs: Sequence[AnyFolded]) -> None:
        """Observe the hits of runs whose rows have just been written for the first time."""
        arrived: Counter[int] = Counter()
        for run in runs:
            arrived.update(run.arrived)
        if not arrived:
            return
        try:
            now = await self._log_now()
        except LogError:
            now = int(self._clock() * 1000)
        for at, hits in arrived.items():
            metrics.freshness.observe(max(0, now - at) / 1000, hits)
