"""Whether hits go straight into the log now, or into the spool."""

import asyncio
import logging
import math
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

RELAPSE_SECONDS = 60.0
"""A breaker that opens again for slowness within this time after it closed backs off."""
FIRST_BACK_OFF_SECONDS = 1.0
LONGEST_BACK_OFF_SECONDS = 60.0


class CircuitBreaker:
    """The way into the log: opened by the first append that fails or comes too late.

    Open, hits go to the spool, and the drain tries the log; it closes the breaker when the spool
    is empty. A log that is too slow again soon after is backed off from, twice as long each time:
    else hits would swing between log and spool for as long as it is slow, and visitors would wait
    at every turn. The spool is drained during a back-off all the same, so nobody waits, and no
    number is late. When the back-off is over the breaker is half-open: it may close.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._back_off = 0.0
        self._back_off_until = -math.inf
        self.fault: str | None = None
        """Why it is open; None while it is closed."""
        self.slow = False
        """Whether it is open although the log answers."""
        self.closed_since = -math.inf
        """When it was closed last, on the clock that was given."""
        self.opened_since = -math.inf
        """When it was opened last, on that clock."""
        self.opened = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether hits go straight into the log."""
        return self.fault is None

    @property
    def half_open(self) -> bool:
        """Whether it is open and may be closed: no back-off runs."""
        return not self.closed and self._monotonic() >= self._back_off_until

    def note(self) -> str | None:
        """Return since when hits go to the spool, and why; None while they do not."""
        if self.fault is None:
            return None
        seconds = self._monotonic() - self.opened_since
        return f"hits go to the spool since {seconds:.0f} s ago: the log: {self.fault}"

    def open(self, why: str, *, slow: bool = False) -> None:
        """Send all that comes to the spool."""
        if slow and self.closed:
            self._start_back_off()
        if self.fault is None:
            self.opened_since = self._monotonic()
            _log.error("the log cannot be written: %s; hits go to the spool", why)
        self.fault, self.slow = why, slow
        self.opened.set()

    def close(self) -> None:
        """Send what comes straight into the log: nothing that came before is elsewhere."""
        _log.warning("the log can be written again")
        self.fault, self.slow = None, False
        self.closed_since = self._monotonic()
        self.opened.clear()

    def _start_back_off(self) -> None:
        now = self._monotonic()
        if now - self.closed_since > RELAPSE_SECONDS:
            self._back_off = 0.0
            return
        self._back_off = min(
            max(2 * self._back_off, FIRST_BACK_OFF_SECONDS), LONGEST_BACK_OFF_SECONDS
        )
        self._back_off_until = now + self._back_off
