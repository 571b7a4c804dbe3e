"""The lock for correcting a site: no view is taken back twice, however many API processes run."""

from contextlib import AbstractAsyncContextManager

from services.state import keys
from services.state.lock import StateLock, renewed
from services.state.state import State

LOCK_SECONDS = 300.0
WAIT_SECONDS = 20.0
SHORT_SECONDS = 20.0
RENEWED_SECONDS = 5.0


def correction_lock(state: State, site: str) -> StateLock:
    """Return the lock of a site, not yet acquired."""
    return StateLock(state, keys.correcting(site), seconds=LOCK_SECONDS, wait_seconds=WAIT_SECONDS)


def renewed_correction_lock(
    state: State, site: str
) -> AbstractAsyncContextManager[StateLock | None]:
    """Hold the lock of a site; None if another process holds it. See `lock.renewed`."""
    lock = StateLock(state, keys.correcting(site), seconds=SHORT_SECONDS, wait_seconds=WAIT_SECONDS)
    return renewed(lock, RENEWED_SECONDS)
