"""Sign-ins that have passed the password and wait for the code of the second factor."""

import secrets

import msgspec

from services.model.account import User
from services.state import keys
from services.state.errors import translated
from services.state.secret_digest import secret_digest
from services.state.state import State, put, reply

WAIT_SECONDS = 300
"""How long to wait for the code; then the password is asked for again."""
_SECRET_BYTES = 32


class HalfSignIn(msgspec.Struct, frozen=True, array_like=True):
    """Whose password was right, and the stamp of that password."""

    user: str
    stamp: str


class HalfSignIns:
    """Kept under the hash of a random id, which only the browser has. Calls raise StateError."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def begin(self, user: User) -> str:
        """Record that a user's password was right, and return the id of this sign-in."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        body = msgspec.json.encode(HalfSignIn(user.name, user.stamp))
        with translated():
            await put(self._redis, _key(secret), body, WAIT_SECONDS)
        return secret

    async def find(self, secret: str) -> HalfSignIn | None:
        """Return the sign-in with an id, if it has not expired."""
        with translated():
            body = await reply(self._redis.get(_key(secret)))
        return None if body is None else msgspec.json.decode(body, type=HalfSignIn)

    async def end(self, secret: str) -> None:
        """Forget it."""
        with translated():
            await self._redis.delete(_key(secret))


def _key(secret: str) -> str:
    return keys.half_sign_in(secret_digest(secret))
