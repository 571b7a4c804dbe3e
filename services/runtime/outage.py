"""Logs an outage when it begins and when it ends, not at every attempt in between."""

import logging
import time
from collections.abc import Callable

REMIND_SECONDS = 300.0
"""How often a continuing outage is logged again."""


class Outage:
    """One thing that may fail for a while, such as publishing who is online."""

    def __init__(
        self,
        log: logging.Logger,
        fails: str,
        works: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fails` and `works` begin log lines, such as 'the store is unavailable'."""
        self._log = log
        self._fails = fails
        self._works = works
        self._monotonic = monotonic
        self._since: float | None = None
        self._told = 0.0

    @property
    def lasts(self) -> bool:
        """Whether it goes on."""
        return self._since is not None

    def begins(self, why: object, level: int = logging.WARNING) -> None:
        """Record a failure; it is logged the first time, and from time to time while it lasts."""
        now = self._monotonic()
        if self._since is None:
            self._since = self._told = now
            self._log.log(level, "%s: %s", self._fails, why)
        elif now - self._told >= REMIND_SECONDS:
            self._told = now
            self._log.log(level, "%s, for %s now: %s", self._fails, span(now - self._since), why)

    def ends(self) -> None:
        """Record a success; it is logged if it failed before."""
        if self._since is None:
            return
        lasted, self._since = self._monotonic() - self._since, None
        # A warning like its beginning: whoever sees one must see the other.
        self._log.warning("%s again, after %s", self._works, span(lasted))


def span(seconds: float) -> str:
    """Return a duration for people."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
