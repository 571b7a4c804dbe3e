"""Reports of unusual hits to the operator: in the log, in /readyz and through doctor."""

import logging
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable

from services.runtime.clock import Clock
from services.state.errors import StateError
from services.state.recent_hits import RecentHits

_log = logging.getLogger(__name__)

WARN_SECONDS = 60.0
REMEMBERED_SECONDS = 600.0


class SharedHits:
    """Counts hits by site, for doctor and the API."""

    def __init__(self, shared: RecentHits, clock: Clock) -> None:
        self._shared = shared
        self._clock = clock
        self._unshared: Counter[str] = Counter()

    async def share(self) -> None:
        """Share the counts with doctor and the API. Raises StateError."""
        if not self._unshared:
            return
        new, self._unshared = self._unshared, Counter()
        try:
            await self._shared.add(new, self._clock())
        except StateError:
            self._unshared += new
            raise


class Noticed(SharedHits, ABC):
    """Counts such hits by site, and warns at most once a minute."""

    def __init__(
        self, shared: RecentHits, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(shared, clock)
        self._monotonic = monotonic
        self._hits = 0
        self._since = monotonic()
        self._last: tuple[str, float] | None = None

    @abstractmethod
    def _take_message(self, hits: int) -> str:
        """Return the warning about these hits, and reset the counts."""

    def _count(self, site: str) -> None:
        """Count a hit of a known site; the caller has noted everything else about it."""
        self._unshared[site] += 1
        self._hits += 1
        if self._last is None:
            self._warn()

    def look(self) -> None:
        """Warn of what was noticed since the last warning, at most once a minute."""
        if self._hits and self._monotonic() >= self._since + WARN_SECONDS:
            self._warn()

    def _warn(self) -> None:
        said = self._take_message(self._hits)
        _log.warning("%s", said)
        now = self._monotonic()
        self._last = (said, now)
        self._hits, self._since = 0, now

    def problem(self) -> str | None:
        """Return the last warning, for REMEMBERED_SECONDS; None when there is none."""
        if self._last is None:
            return None
        said, at = self._last
        ago = self._monotonic() - at
        if ago > REMEMBERED_SECONDS:
            self._last = None
            return None
        return f"{ago:.0f} s ago: {said}"
