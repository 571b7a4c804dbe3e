"""Which API process checks for alerts, and since when this was done without a pause."""

from typing import cast

from services.state import keys
from services.state.errors import translated
from services.state.lock import StateLock
from services.state.state import State

LOCK_SECONDS = 600.0
"""Longer than a round may take; a round ends before."""
PAUSE_MS = 30 * 60_000
"""After this long without a round, Luot itself may have been down, rather than readers gone."""
_KEPT_SECONDS = 86_400


def alert_lock(state: State) -> StateLock:
    """Return the lock, not yet acquired; a process that does not get it at once does not wait."""
    return StateLock(state, keys.WATCHING_ALERTS, seconds=LOCK_SECONDS, wait_seconds=0.1)


async def watched_since(state: State, now_ms: int) -> int:
    """Note a round, and return since when rounds have run without a pause, in ms since 1970.

    Raises StateError.
    """
    with translated():
        noted = cast("bytes | None", await state.redis.get(keys.ALERTS_WATCHED))
        since, until = map(int, noted.split()) if noted else (now_ms, now_ms)
        if not until <= now_ms <= until + PAUSE_MS:
            since = now_ms
        await state.redis.set(keys.ALERTS_WATCHED, f"{since} {now_ms}", ex=_KEPT_SECONDS)
    return since
