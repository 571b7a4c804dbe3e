"""Sessions: kept in Redis under the hash of a random id, which only the browser has."""

import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from services.model.account import User
from services.state import keys
from services.state.errors import translated
from services.state.state import State

IDLE_SECONDS = 12 * 3600
"""A session expires when it is not used for this long."""
LONGEST_SECONDS = 7 * 86400
"""No session lasts longer."""
TOUCH_SECONDS = 60
"""How precisely the time of last use is recorded."""
SECRET_BYTES = 32


class Session(msgspec.Struct, frozen=True, array_like=True):
    """Who signed in, with which password, when, and when they last came (seconds since 1970)."""

    user: str
    stamp: str
    begun: float
    seen: float


class Sessions:
    """Every session of every user. All calls raise StateError."""

    def __init__(self, state: State, clock: Callable[[], float] = time.time) -> None:
        self._redis = state.redis
        self._clock = clock

    async def begin(self, user: User) -> str:
        """Begin a session of a user and return its id, for the browser only."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        digest, now = _digest(secret), self._clock()
        session = Session(user.name, user.stamp, now, now)
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(keys.session(digest), _encoded(session), ex=IDLE_SECONDS)
                pipeline.sadd(keys.sessions(user.name), digest)
                pipeline.expire(keys.sessions(user.name), LONGEST_SECONDS)
                await pipeline.execute()
        return secret

    async def find(self, secret: str) -> Session | None:
        """Return the session of an id, if it has not expired, and record its use."""
        digest, now = _digest(secret), self._clock()
        with translated():
            session = _decoded(await _done(self._redis.get(keys.session(digest))))
        if session is None:
            return None
        ends = min(session.seen + IDLE_SECONDS, session.begun + LONGEST_SECONDS)
        if now >= ends:
            await self.end(secret)
            return None
        if now >= session.seen + TOUCH_SECONDS:
            seen = msgspec.structs.replace(session, seen=now)
            left = min(IDLE_SECONDS, max(1, int(session.begun + LONGEST_SECONDS - now)))
            # Only if it still exists: it may have been ended since it was read.
            with translated():
                await self._redis.set(keys.session(digest), _encoded(seen), ex=left, xx=True)
        return session

    async def end(self, secret: str) -> None:
        """End one session, in every process at once."""
        digest = _digest(secret)
        with translated():
            session = _decoded(await _done(self._redis.getdel(keys.session(digest))))
            if session is not None:
                await _done(self._redis.srem(keys.sessions(session.user), digest))

    async def end_all(self, user: str) -> None:
        """End every session of a user, in every process at once."""
        with translated():
            digests: set[bytes] = await _done(self._redis.smembers(keys.sessions(user)))
            async with self._redis.pipeline(transaction=False) as pipeline:
                for digest in digests:
                    pipeline.delete(keys.session(digest.decode()))
                pipeline.delete(keys.sessions(user))
                await pipeline.execute()


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _encoded(session: Session) -> bytes:
    return msgspec.json.encode(session)


def _decoded(body: bytes | None) -> Session | None:
    if body is None:
        return None
    try:
        return msgspec.json.decode(body, type=Session)
    except msgspec.MsgspecError:
        return None


async def _done(answer: Any) -> Any:
    return await answer
