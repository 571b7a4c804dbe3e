"""The version of users and tokens, and the lock for changing them."""

import asyncio
from collections.abc import Awaitable
from typing import cast

from redis.asyncio.lock import Lock

from services.state import keys
from services.state.errors import translated
from services.state.state import State

LOCK_SECONDS = 20.0
"""How long the lock is held, and waited for, at most."""
_READ_SECONDS = 1.0


class AccessVersion:
    """Grows with every change, so that each API process loads users and tokens again."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def read(self) -> bytes:
        """Return the version, empty before the first change. Raises StateError; takes 1 s at most.

        It says only whether something changed: one that is not the one of before.
        """
        with translated():
            async with asyncio.timeout(_READ_SECONDS):
                version = await cast("Awaitable[bytes | None]", self._redis.get(keys.ACCESS))
        return version or b""

    async def increase(self) -> None:
        """Tell every process of a change. Raises StateError."""
        with translated():
            await self._redis.incr(keys.ACCESS)

    def lock(self) -> "AccessLock":
        """Return the lock for changing users or tokens, not yet acquired."""
        return AccessLock(
            self._redis.lock(
                keys.CHANGING_ACCESS, timeout=LOCK_SECONDS, blocking_timeout=LOCK_SECONDS
            )
        )


class AccessLock:
    """Held by one process; expires after LOCK_SECONDS."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    async def acquire(self) -> bool:
        """Wait for the lock; tell whether it is held now. Raises StateError."""
        with translated():
            return bool(await self._lock.acquire())

    async def release(self) -> None:
        """Release it. Raises StateError, also if it has expired meanwhile."""
        with translated():
            await self._lock.release()
