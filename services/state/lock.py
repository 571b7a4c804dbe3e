"""A lock that all processes share."""

from redis.asyncio.lock import Lock

from services.state.errors import translated
from services.state.state import State


class StateLock:
    """Held by one process; expires by itself."""

    def __init__(self, state: State, name: str, *, seconds: float, wait_seconds: float) -> None:
        """Name a lock, not yet acquired: held, and waited for, so many seconds at most."""
        self._lock: Lock = state.redis.lock(name, timeout=seconds, blocking_timeout=wait_seconds)

    async def acquire(self) -> bool:
        """Wait for the lock; tell whether it is held now. Raises StateError."""
        with translated():
            return bool(await self._lock.acquire())

    async def renew(self) -> None:
        """Hold it for as long again. Raises StateError, also if it has expired meanwhile."""
        with translated():
            await self._lock.reacquire()

    async def release(self) -> None:
        """Release it. Raises StateError, also if it has expired meanwhile."""
        with translated():
            await self._lock.release()
