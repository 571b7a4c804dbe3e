"""Slows down whoever guesses passwords, without shutting out the one who knows it."""

import secrets
from collections.abc import Awaitable
from hashlib import blake2b
from http import HTTPStatus
from typing import cast

from redis.asyncio import Redis

from services.http.errors import ApiError
from services.state import keys

WINDOW_SECONDS = 900
LIMITS = {"name and address": 5, "address": 30, "name": 100}
"""Attempts in a window that may fail.

The first stops somebody who guesses from one place, and nobody else who has that name; the last
is for guesses from everywhere at once, and so high that it hardly locks anybody out.
"""
_SALT_SECONDS = 86_400


class Throttle:
    """Counts attempts to sign in; names and addresses are kept hashed, for minutes.

    Calls raise RedisError or OSError while Redis is away: then nobody could sign in anyway.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def attempt(self, name: str, address: str) -> list[str]:
        """Count an attempt as if it had failed, and return what `succeeded` takes it back by.

        Counted first, so that attempts at the same moment are not one. Raises ApiError, 429,
        after too many.
        """
        salt = await self._salt()
        asked = {"name and address": f"{address} {name}", "address": address, "name": name}
        counted = [keys.sign_ins(what, _digest(salt, text)) for what, text in asked.items()]
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key in counted:
                pipeline.set(key, 0, ex=WINDOW_SECONDS, nx=True)
                pipeline.incr(key)
                pipeline.ttl(key)
            answers = await pipeline.execute()
        waits = [
            max(1, left)
            for what, attempts, left in zip(asked, answers[1::3], answers[2::3], strict=True)
            if attempts > LIMITS[what]
        ]
        if waits:
            seconds = max(waits)
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                {"sign_in": f"too many attempts; try again in {seconds} seconds"},
                {"Retry-After": str(seconds)},
            )
        return counted

    async def succeeded(self, counted: list[str]) -> None:
        """Take an attempt back: it did not fail."""
        first, *others = counted
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(first)
            for key in others:
                pipeline.decr(key)
                pipeline.expire(key, WINDOW_SECONDS, nx=True)  # should it just have ended
            await pipeline.execute()

    async def _salt(self) -> bytes:
        fresh = secrets.token_bytes(16)
        await self._redis.set(keys.SIGN_IN_SALT, fresh, ex=_SALT_SECONDS, nx=True)
        held = await cast("Awaitable[bytes | None]", self._redis.get(keys.SIGN_IN_SALT))
        return held or fresh


def _digest(salt: bytes, text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), key=salt, digest_size=16).hexdigest()
