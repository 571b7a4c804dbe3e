"""Monitors a server that a process needs, so that nobody has to wait for its answer."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

from services.runtime.reasons import reason

_log = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
"""The pause between an answer and the next request."""
SILENT_SECONDS = 3.0
"""A server that is silent for this long is considered down."""


class Contact:
    """Polls a server in the background, so that its last answer is available at once.

    A request that is never answered, as by a stopped process, needs no timeout here: the time
    since the last answer shows it.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[], Awaitable[object]],
        failures: tuple[type[Exception], ...],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` raises one of `failures` when the server cannot be reached or refuses."""
        self._name = name
        self._ask = ask
        self._failures = failures
        self._clock = clock
        self._monotonic = monotonic
        self._begun: float | None = None
        self._heard: float | None = None
        self._fault: str | None = None

    async def watch_forever(self) -> None:
        """Ask until cancelled."""
        self._begun = self._monotonic()
        while True:
            await self.look()
            await asyncio.sleep(PERIOD_SECONDS)

    async def look(self) -> None:
        """Ask once."""
        if self._begun is None:
            self._begun = self._monotonic()
        try:
            await self._ask()
        except self._failures as error:
            self._fault = reason(error)
        except Exception as error:
            # Any error: if polling stopped, that must not be mistaken for an answer.
            if self._fault is None:
                _log.exception("%s could not be asked", self._name)
            self._fault = type(error).__name__
        else:
            self._fault, self._heard = None, self._monotonic()

    def problem(self) -> str | None:
        """Return since when nothing was heard, and why; None while the server answers."""
        if self._begun is None:
            return None
        last = self._begun if self._heard is None else self._heard
        silent = self._monotonic() - last
        if self._fault is None and silent <= SILENT_SECONDS:
            return None
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock() - silent))
        since = f"the start at {at}" if self._heard is None else at
        why = "" if self._fault is None else f": {self._fault}"
        return f"{self._name}: nothing heard since {since} ({silent:.0f} s){why}"

    def up(self) -> float:
        """Return 1 while the server answers, 0 while it does not, NaN while that is unknown."""
        if self.problem() is not None:
            return 0.0
        return math.nan if self._heard is None else 1.0
