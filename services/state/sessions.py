"""Sessions: kept in Redis under the hash of a random id, which only the browser has."""

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from services.model.account import User
from services.state import keys
from services.state.errors import translated
from services.state.secret_digest import secret_digest
from services.state.state import EVEN_WHEN_FULL, State, put, reply

IDLE_SECONDS = 12 * 3600
"""A session expires when it is not used for this long."""
LONGEST_SECONDS = 7 * 86400
"""No session lasts longer."""
TOUCH_SECONDS = 60
"""How precisely the time of last use is recorded."""
MOST_OF_A_USER = 50
"""How many sessions a user has at most; a further one ends the one that was not used longest."""
SECRET_BYTES = 32
_ID_LENGTH = 20

_LIST = (
    EVEN_WHEN_FULL
    + """
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
)


class Session(msgspec.Struct, frozen=True, array_like=True):
    """Who signed in, with which password, when, and when last seen (seconds since 1970).

    browser, system, country  for the user's list of sessions, as far as known; nothing else of
                              User-Agent and address is kept
    proved                    when the password was last given
    """

    user: str
    stamp: str
    begun: float
    seen: float
    browser: str = ""
    system: str = ""
    proved: float = 0.0
    country: str = ""

    @property
    def ends(self) -> float:
        """When it expires, if it is not used again."""
        return min(self.seen + IDLE_SECONDS, self.begun + LONGEST_SECONDS)


class ListedSession(NamedTuple):
    """A session under the name shown to its user, which does not give access."""

    id: str
    session: Session


class Sessions:
    """Every session of every user. All calls raise StateError."""

    def __init__(self, state: State, clock: Callable[[], float] = time.time) -> None:
        self._redis = state.redis
        self._clock = clock

    async def begin(
        self, user: User, browser: str = "", system: str = "", country: str = ""
    ) -> str:
        """Begin a session of a user and return its id, for the browser only."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        digest, now = secret_digest(secret), self._clock()
        session = Session(user.name, user.stamp, now, now, browser, system, now, country)
        before = await self._read(user.name)
        forgotten = [old for old, earlier in before.items() if earlier is None]
        living = [old for old, earlier in before.items() if earlier is not None]
        with translated():
            await put(self._redis, keys.session(digest), _encoded(session), IDLE_SECONDS)
            arguments = (keys.sessions(user.name), digest, str(LONGEST_SECONDS))
            await reply(self._redis.eval(_LIST, 1, *arguments))
            async with self._redis.pipeline(transaction=False) as pipeline:
                for old in [*forgotten, *living[MOST_OF_A_USER - 1 :]]:
                    pipeline.delete(keys.session(old))
                    pipeline.srem(keys.sessions(user.name), old)
                await pipeline.execute()
        return secret

    async def find(self, secret: str) -> Session | None:
        """Return the session of an id, if it has not expired, and record its use."""
        digest, now = secret_digest(secret), self._clock()
        with translated():
            session = _decoded(await reply(self._redis.get(keys.session(digest))))
        if session is None:
            return None
        if now >= session.ends:
            await self.end(secret)
            return None
        if now >= session.seen + TOUCH_SECONDS:
            await self._keep(digest, msgspec.structs.replace(session, seen=now))
        return session

    async def prove(self, secret: str) -> None:
        """Record that the user of a session has given the password now."""
        digest, now = secret_digest(secret), self._clock()
        with translated():
            session = _decoded(await reply(self._redis.get(keys.session(digest))))
        if session is not None:
            await self._keep(digest, msgspec.structs.replace(session, proved=now, seen=now))

    async def of_user(self, user: str) -> list[ListedSession]:
        """Return the sessions of a user, the most recently used first."""
        now = self._clock()
        return [
            ListedSession(digest[:_ID_LENGTH], session)
            for digest, session in (await self._read(user)).items()
            if session is not None and now < session.ends
        ]

    async def end(self, secret: str) -> None:
        """End one session, in every process at once."""
        digest = secret_digest(secret)
        with translated():
            session = _decoded(await reply(self._redis.getdel(keys.session(digest))))
            if session is not None:
                await reply(self._redis.srem(keys.sessions(session.user), digest))

    async def end_some(self, user: str, *, only: str | None = None, but: str | None = None) -> int:
        """End sessions of a user, in every process at once; return how many there were.

        only, but  the name of the one to end, or to keep, as `of_user` lists it; else all end
        """
        ended = [
            digest
            for digest in await self._read(user)
            if only in (None, digest[:_ID_LENGTH]) and digest[:_ID_LENGTH] != but
        ]
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for digest in ended:
                    pipeline.delete(keys.session(digest))
                    pipeline.srem(keys.sessions(user), digest)
                answers = await pipeline.execute()
        return sum(answers[::2])

    async def _read(self, user: str) -> dict[str, Session | None]:
        """Return every session of a user by its digest, the last used first, gone ones last."""
        with translated():
            members: set[bytes] = await reply(self._redis.smembers(keys.sessions(user)))
            digests = [member.decode() for member in members]
            async with self._redis.pipeline(transaction=False) as pipeline:
                for digest in digests:
                    pipeline.get(keys.session(digest))
                bodies = await pipeline.execute()
        sessions = {digest: _decoded(body) for digest, body in zip(digests, bodies, strict=True)}
        return dict(sorted(sessions.items(), key=lambda item: -item[1].seen if item[1] else 0.0))

    async def _keep(self, digest: str, session: Session) -> None:
        left = max(1, int(session.ends - self._clock()))
        # Only if it still exists: it may have been ended since it was read.
        with translated():
            await put(self._redis, keys.session(digest), _encoded(session), left, "if there")


def session_id(secret: str) -> str:
    """Return the name under which a session is listed."""
    return secret_digest(secret)[:_ID_LENGTH]


def _encoded(session: Session) -> bytes:
    return msgspec.json.encode(session)


def _decoded(body: bytes | None) -> Session | None:
    if body is None:
        return None
    try:
        return msgspec.json.decode(body, type=Session)
    except msgspec.MsgspecError:
        return None
