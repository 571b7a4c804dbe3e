"""A lock that all processes share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio.lock import Lock

from services.state.errors import StateError, translated
from services.state.state import State


class StateLock:
    """Held by one process; expires by itself."""

    def __init__(self, state: State, name: str, *, seconds: float, wait_seconds: float) -> None:
        """Name a lock, not yet acquired; held and waited for at most these many seconds."""
        self._lock: Lock = state.redis.lock(name, timeout=seconds, blocking_timeout=wait_seconds)

    async def acquire(self) -> bool:
        """Wait for the lock; tell whether it is held now. Raises StateError."""
        with translated():
            return bool(await self._lock.acquire())

    async def renew(self) -> None:
        """Extend it by its full time. Raises StateError, also if it has expired meanwhile."""
        with translated():
            await self._lock.reacquire()

    async def release(self) -> None:
        """Release it. Raises StateError, also if it has expired meanwhile."""
        with translated():
            await self._lock.release()


@asynccontextmanager
async def renewed(lock: StateLock, seconds: float) -> AsyncIterator[bool]:
    """Hold a lock, renewed every so many seconds, and tell whether it is held.

    It is free soon after its holder dies; so use it only where two holders at once do no harm.
    Raises StateError.
    """
    if not await lock.acquire():
        yield False
        return
    renewing = asyncio.create_task(_renew(lock, seconds))
    try:
        yield True
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        with suppress(StateError):
            await lock.release()


async def _renew(lock: StateLock, seconds: float) -> None:
    with suppress(StateError):
        while True:
            await asyncio.sleep(seconds)
            await lock.renew()
