"""The version of users and tokens, and the lock for changing them."""

import asyncio

from services.state import keys
from services.state.errors import translated
from services.state.lock import StateLock
from services.state.state import State, reply

LOCK_SECONDS = 20.0
"""How long the lock is held, and waited for, at most."""
_READ_SECONDS = 1.0


class AccessVersion:
    """Grows with every change, so that each API process loads users and tokens again."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._redis = state.redis

    async def read(self) -> bytes:
        """Return the version, empty before the first change. Raises StateError; takes 1 s at most.

        Compare it only for equality: a different version means that something changed.
        """
        with translated():
            async with asyncio.timeout(_READ_SECONDS):
                version: bytes | None = await reply(self._redis.get(keys.ACCESS))
        return version or b""

    async def increase(self) -> None:
        """Tell every process that something changed. Raises StateError."""
        with translated():
            await self._redis.incr(keys.ACCESS)

    def lock(self) -> StateLock:
        """Return the lock for changing users or tokens, not yet acquired."""
        return StateLock(
            self._state, keys.CHANGING_ACCESS, seconds=LOCK_SECONDS, wait_seconds=LOCK_SECONDS
        )
