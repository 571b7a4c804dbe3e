"""The lock for reading the titles of a portal: only one API process at a time does so."""

from contextlib import AbstractAsyncContextManager

from services.state import keys
from services.state.lock import StateLock, renewed
from services.state.state import State

LOCK_SECONDS = 30.0
RENEWED_SECONDS = 8.0


def titles_lock(state: State, site: str) -> AbstractAsyncContextManager[StateLock | None]:
    """Hold the lock of a site; None if another process holds it. See `lock.renewed`."""
    lock = StateLock(state, keys.reading_titles(site), seconds=LOCK_SECONDS, wait_seconds=0.1)
    return renewed(lock, RENEWED_SECONDS)
