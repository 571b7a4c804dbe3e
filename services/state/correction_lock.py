"""The lock for correcting a site: no view is taken back twice, however many API processes run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from services.state import keys
from services.state.errors import StateError
from services.state.lock import StateLock
from services.state.state import State

LOCK_SECONDS = 300.0
WAIT_SECONDS = 20.0
SHORT_SECONDS = 20.0
RENEWED_SECONDS = 5.0


def correction_lock(state: State, site: str) -> StateLock:
    """Return the lock of a site, not yet acquired."""
    return StateLock(state, keys.correcting(site), seconds=LOCK_SECONDS, wait_seconds=WAIT_SECONDS)


@asynccontextmanager
async def renewed_correction_lock(state: State, site: str) -> AsyncIterator[bool]:
    """Hold the lock of a site, and tell whether it is held; free soon after the holder dies.

    For what may be repeated, and does no harm if two do it at once. Raises StateError.
    """
    lock = StateLock(state, keys.correcting(site), seconds=SHORT_SECONDS, wait_seconds=WAIT_SECONDS)
    if not await lock.acquire():
        yield False
        return
    renewing = asyncio.create_task(_renew(lock))
    try:
        yield True
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        with suppress(StateError):
            await lock.release()


async def _renew(lock: StateLock) -> None:
    with suppress(StateError):
        while True:
            await asyncio.sleep(RENEWED_SECONDS)
            await lock.renew()
