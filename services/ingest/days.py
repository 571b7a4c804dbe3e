"""Opens a site's day: reads its salt and its paths once, before its first hit."""

import asyncio
import logging

from services.ingest.cardinality import CardinalityLimiter
from services.ingest.circuit_breaker import CircuitBreaker
from services.ingest.salts import Salts
from services.runtime.outage import Outage
from services.state.errors import StateError

_log = logging.getLogger(__name__)


class Days:
    """Open days, in memory; however many hits wait for a day, Redis is asked once."""

    def __init__(self, breaker: CircuitBreaker, salts: Salts, paths: CardinalityLimiter) -> None:
        self._breaker = breaker
        self._salts = salts
        self._paths = paths
        self._opening: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._outage = Outage(
            _log, "days of sites are opened without Redis", "days of sites are opened with Redis"
        )
        self._open_days: set[tuple[str, int]] = set()

    def is_open(self, site: str, day: int) -> bool:
        """Tell whether hits of a day can be taken without a round trip to Redis."""
        key = (site, day)
        if key in self._open_days:
            return True
        if self._salts.known(site, day) is None or not self._paths.is_open(site, day):
            return False
        self._open_days.add(key)
        return True

    def forget(self) -> None:
        """Forget which days are open: salts and paths may have dropped some."""
        self._open_days.clear()

    async def open(self, site: str, day: int) -> None:
        """Open a day, from Redis, or without it while it is down."""
        key = (site, day)
        task = self._opening.get(key)
        if task is None:
            task = asyncio.create_task(self._open(site, day), name=f"open {site} {day}")
            self._opening[key] = task
            task.add_done_callback(lambda _: self._opening.pop(key))
        # Shielded: one request that is cancelled must not cancel the others' opening.
        await asyncio.shield(task)

    async def _open(self, site: str, day: int) -> None:
        if self._breaker.closed or self._breaker.slow:
            try:
                await self._salts.load(site, day)
                await self._paths.load(site, day)
            except StateError as error:
                self._outage.begins(error)
            else:
                self._outage.ends()
                return
        await self._paths.improvise(site, day)
        self._salts.improvise(site, day)
