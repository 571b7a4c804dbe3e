"""Whether hits go straight into the log now, or into the spool."""

import asyncio
import logging
import math
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

RELAPSE_SECONDS = 60.0
"""A link that is too slow again within this time after it was mended is held."""
FIRST_HOLD_SECONDS = 1.0
LONGEST_HOLD_SECONDS = 60.0


class Link:
    """The way to Redis: cut by the first append that fails or comes too late.

    It is mended when the spool is drained. A link that is too slow again soon after is held,
    twice as long each time: else hits would swing between log and spool for as long as Redis is
    slow, and visitors would wait at every turn. The spool of a link that is held is drained all
    the same, so nobody waits, and no number is late.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._hold = 0.0
        self._held_until = -math.inf
        self.fault: str | None = None
        """Why it is cut; None while it is not."""
        self.slow = False
        """Whether it is cut although Redis answers."""
        self.up_since = -math.inf
        """When it was mended, on the clock that was given."""
        self.cut_off = asyncio.Event()

    @property
    def up(self) -> bool:
        """Whether hits go straight into the log."""
        return self.fault is None

    @property
    def held(self) -> bool:
        """Whether it must not be mended yet."""
        return self._monotonic() < self._held_until

    def cut(self, why: str, *, slow: bool = False) -> None:
        """Send all that comes to the spool."""
        if slow and self.up:
            self._hold_back()
        if self.fault is None:
            _log.error("the log cannot be written: %s; hits go to the spool", why)
        self.fault, self.slow = why, slow
        self.cut_off.set()

    def mend(self) -> None:
        """Send what comes straight into the log: nothing that came before is elsewhere."""
        _log.warning("the log can be written again")
        self.fault, self.slow = None, False
        self.up_since = self._monotonic()
        self.cut_off.clear()

    def _hold_back(self) -> None:
        now = self._monotonic()
        if now - self.up_since > RELAPSE_SECONDS:
            self._hold = 0.0
            return
        self._hold = min(max(2 * self._hold, FIRST_HOLD_SECONDS), LONGEST_HOLD_SECONDS)
        self._held_until = now + self._hold
