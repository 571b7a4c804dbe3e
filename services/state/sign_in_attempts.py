"""Counts failed sign-ins for a while; names and addresses are stored only as hashes."""

import secrets
from collections.abc import Awaitable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple, cast

from services.state import keys
from services.state.errors import translated
from services.state.state import State

_SALT_SECONDS = 86_400


class Attempts(NamedTuple):
    """The attempts of one subject in its window.

    key           what they are counted under
    number        how many there are, this one among them
    seconds_left  until they are forgotten
    """

    key: str
    number: int
    seconds_left: int


class SignInAttempts:
    """A count a subject; the window begins with its first attempt. All calls raise StateError."""

    def __init__(self, state: State, window_seconds: int) -> None:
        self._redis = state.redis
        self._window_seconds = window_seconds

    async def count(self, subjects: Mapping[str, str]) -> list[Attempts]:
        """Count an attempt of each subject, by its kind: an address, a name, …; in that order."""
        with translated():
            salt = await self._salt()
            counted = [keys.sign_ins(kind, _digest(salt, text)) for kind, text in subjects.items()]
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in counted:
                    pipeline.set(key, 0, ex=self._window_seconds, nx=True)
                    pipeline.incr(key)
                    pipeline.ttl(key)
                answers = await pipeline.execute()
        return list(map(Attempts, counted, answers[1::3], answers[2::3]))

    async def take_back(self, forgotten: Sequence[str], lowered: Sequence[str]) -> None:
        """Forget all attempts under some keys, and one attempt under others."""
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in forgotten:
                    pipeline.delete(key)
                for key in lowered:
                    pipeline.decr(key)
                    # Should it just have ended.
                    pipeline.expire(key, self._window_seconds, nx=True)
                await pipeline.execute()

    async def _salt(self) -> bytes:
        fresh = secrets.token_bytes(16)
        await self._redis.set(keys.SIGN_IN_SALT, fresh, ex=_SALT_SECONDS, nx=True)
        salt = await cast("Awaitable[bytes | None]", self._redis.get(keys.SIGN_IN_SALT))
        return salt or fresh


def _digest(salt: bytes, text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), key=salt, digest_size=16).hexdigest()
