"""The circuit breaker in front of the log: closed, hits go into the log; open, into the spool."""

import asyncio
import logging
import math
import time
from collections.abc import Callable

from services.runtime.outage import span

_log = logging.getLogger(__name__)

RELAPSE_SECONDS = 60.0
"""A breaker that reopens for slowness within this time backs off."""
FIRST_BACK_OFF_SECONDS = 1.0
LONGEST_BACK_OFF_SECONDS = 60.0


class CircuitBreaker:
    """Guards the log: opened by the first append that fails or is too slow.

    While it is open, hits go to the spool, and the drain probes the log; it closes the breaker when
    the spool is empty. If the log is too slow again soon after, the breaker backs off, twice as
    long each time: otherwise hits would flap between log and spool, and visitors would wait at each
    switch. The spool is drained during a back-off too, so no number is late. When the back-off is
    over the breaker is half-open: it may close.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._back_off = 0.0
        self._back_off_until = -math.inf
        self.fault: str | None = None
        """Why it is open; None while it is closed."""
        self.slow = False
        """Whether it is open for slowness: the log still answers."""
        self.closed_since = -math.inf
        """When it last closed, on the clock that was given."""
        self.opened_since = -math.inf
        """When it last opened, on that clock."""
        self.opened = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether hits go straight into the log."""
        return self.fault is None

    @property
    def half_open(self) -> bool:
        """Whether it is open and may close: no back-off is running."""
        return not self.closed and self._monotonic() >= self._back_off_until

    def note(self) -> str | None:
        """Return how long hits have been going to the spool, and why; None while they do not."""
        if self.fault is None:
            return None
        seconds = self._monotonic() - self.opened_since
        return f"hits go to the spool since {seconds:.0f} s ago: the log: {self.fault}"

    def open(self, why: str, *, slow: bool = False) -> None:
        """Send hits to the spool from now on."""
        if slow and self.closed:
            self._start_back_off()
        if self.fault is None:
            self.opened_since = self._monotonic()
            _log.error("the log cannot be written: %s; hits go to the spool", why)
        self.fault, self.slow = why, slow
        self.opened.set()

    def close(self) -> None:
        """Send hits straight into the log again; all earlier ones must be in it."""
        lasted = span(self._monotonic() - self.opened_since)
        _log.warning("the log can be written again, after %s", lasted)
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
