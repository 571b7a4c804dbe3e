"""The lock for correcting a site: no view is taken back twice, however many API processes run."""

from services.state import keys
from services.state.lock import StateLock
from services.state.state import State

LOCK_SECONDS = 300.0
WAIT_SECONDS = 20.0


def correction_lock(state: State, site: str) -> StateLock:
    """Return the lock of a site, not yet acquired."""
    return StateLock(state, keys.correcting(site), seconds=LOCK_SECONDS, wait_seconds=WAIT_SECONDS)
