"""When a token was last used, to a few minutes; may be lost at any time."""

import logging
import time
from collections.abc import Callable

from services.runtime.outage import Outage
from services.state.errors import StateError
from services.state.state import State
from services.state.token_last_used import TokenTimes

COARSE_SECONDS = 600

log = logging.getLogger(__name__)


class TokenLastUsed:
    """Records when tokens are used, rarely enough to cost nothing."""

    def __init__(self, state: State, clock: Callable[[], float] = time.time) -> None:
        self._times = TokenTimes(state)
        self._clock = clock
        self._noted: dict[str, float] = {}
        self._outage = Outage(
            log, "cannot note when a token was used", "when a token was used is noted"
        )

    async def note(self, token: str) -> None:
        """Note that a token is used now."""
        now = self._clock()
        if now < self._noted.get(token, float("-inf")) + COARSE_SECONDS:
            return
        self._noted[token] = now
        try:
            await self._times.write(token, int(now * 1000))
        except StateError as error:
            self._outage.begins(error)
        else:
            self._outage.ends()

    async def all(self) -> dict[str, int]:
        """Return when tokens were last used, in ms since 1970; empty while the state is down."""
        try:
            return await self._times.read()
        except StateError:
            return {}

    async def forget(self, token: str) -> None:
        """Forget a token that is revoked."""
        self._noted.pop(token, None)
        try:
            await self._times.remove(token)
        except StateError as error:
            log.warning("cannot forget when a token was used: %s", error)
