"""A lock that all processes share."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio.lock import Lock
from redis.exceptions import LockNotOwnedError

from services.state.errors import StateError, translated
from services.state.state import State


class LockLostError(StateError):
    """The lock has expired, and may be held by another process."""


class StateLock:
    """Held by one process; expires by itself."""

    def __init__(self, state: State, name: str, *, seconds: float, wait_seconds: float) -> None:
        """Name a lock, not yet acquired; held and waited for at most these many seconds."""
        self._seconds = seconds
        self._until = -math.inf
        """Until when it is held without another renewal, on the clock of the event loop."""
        self._lock: Lock = state.redis.lock(name, timeout=seconds, blocking_timeout=wait_seconds)

    async def acquire(self) -> bool:
        """Wait for the lock; tell whether it is held now. Raises StateError."""
        with translated():
            acquired = bool(await self._lock.acquire())
        if acquired:
            self._until = asyncio.get_running_loop().time() + self._seconds
        return acquired

    async def renew(self) -> None:
        """Extend it by its full time. Raises StateError; LockLostError if it has expired."""
        now = asyncio.get_running_loop().time()
        with translated():
            try:
                await self._lock.reacquire()
            except LockNotOwnedError as error:
                raise LockLostError(str(error)) from None
        self._until = now + self._seconds

    async def holds(self) -> bool:
        """Renew it, and tell whether it is still held: without an answer, until it expires."""
        try:
            await self.renew()
        except LockLostError:
            self._until = -math.inf
        except StateError:
            pass
        return asyncio.get_running_loop().time() < self._until

    async def release(self) -> None:
        """Release it. Raises StateError, also if it has expired meanwhile."""
        with translated():
            await self._lock.release()


@asynccontextmanager
async def renewed(lock: StateLock, seconds: float) -> AsyncIterator[StateLock | None]:
    """Hold a lock, renewed every so many seconds; None if another process holds it.

    It is free soon after its holder dies, or cannot renew it: where two holders at once do harm,
    ask whether it `holds` before each step that does. Raises StateError.
    """
    if not await lock.acquire():
        yield None
        return
    renewing = asyncio.create_task(_renew(lock, seconds))
    try:
        yield lock
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        with suppress(StateError):
            await lock.release()


async def _renew(lock: StateLock, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        if not await lock.holds():
            return
