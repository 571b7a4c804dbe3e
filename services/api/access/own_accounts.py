"""What users see of their own account: sessions, and other attempts to sign in."""

from typing import NamedTuple

import msgspec
from starlette.requests import Request

from services.api.access.authenticator import Authenticator
from services.api.access.origin import Origin
from services.api.access.sign_in import REFUSED, SIGNED_IN
from services.http.errors import unavailable
from services.model.account import User
from services.state.errors import StateError
from services.state.sessions import ListedSession, session_id
from services.store.interface import Store, StoreError
from services.store.records import audit

_LOOKED_AT = 100


class LastSignIn(NamedTuple):
    """The sign-in before this session's: when, in ms since 1970, and from where."""

    at: int
    origin: Origin


class OwnAccount(NamedTuple):
    """An account, as its user sees it.

    current      the session that asks
    last_sign_in None where there was none before this session
    refused      attempts to sign in that were refused since then; None, like that, while the
                 audit log cannot be read
    """

    user: User
    sessions: list[ListedSession]
    current: str
    last_sign_in: LastSignIn | None
    refused: int | None


class OwnAccounts:
    """Reads them from the state and the audit log."""

    def __init__(self, authenticator: Authenticator, store: Store) -> None:
        self._authenticator = authenticator
        self._store = store

    async def read(self, request: Request, name: str) -> OwnAccount:
        """Return the caller's account. Raises ApiError."""
        user = self.user(name)
        try:
            sessions = await self._authenticator.sessions.of_user(name)
        except StateError as error:
            raise unavailable(f"sessions cannot be read now: {error}") from error
        current = session_id(self._authenticator.secret(request) or "")
        try:
            last = await self._last(name, current)
            refused: int | None = await self._refused(name, last.at if last else 0)
        except StoreError:
            last, refused = None, None
        return OwnAccount(user, sessions, current, last, refused)

    def user(self, name: str) -> User:
        """Return the calling user. Raises ApiError."""
        user = self._authenticator.accounts.users.get(name)
        if user is None:
            raise unavailable("the users are not loaded yet")
        return user

    async def end_session(self, name: str, session: str) -> bool:
        """End a session of a user; tell whether there was one. Raises ApiError."""
        try:
            return bool(await self._authenticator.sessions.end_some(name, only=session))
        except StateError as error:
            raise unavailable(f"the session cannot be ended now: {error}") from error

    async def end_others(self, request: Request, name: str) -> int:
        """End every session of a user except the one of the request. Raises ApiError."""
        current = session_id(self._authenticator.secret(request) or "")
        try:
            return await self._authenticator.sessions.end_some(name, but=current)
        except StateError as error:
            raise unavailable(f"the sessions cannot be ended now: {error}") from error

    async def _last(self, name: str, current: str) -> LastSignIn | None:
        entries = await audit.newest(self._store, _LOOKED_AT, who=name, action=SIGNED_IN)
        for place, entry in enumerate(entries):
            if entry.subject == current:
                before = entries[place + 1 : place + 2]
                break
        else:
            before = entries[:1]
        for entry in before:
            details = msgspec.json.decode(entry.after, type=dict[str, str | bool])
            fields = [str(details.get(name, "")) for name in ("browser", "os", "country")]
            return LastSignIn(entry.at, Origin(*fields))
        return None

    async def _refused(self, name: str, since: int) -> int:
        entries = await audit.newest(self._store, _LOOKED_AT, action=REFUSED, subject=name)
        return sum(
            number
            for entry in entries
            if entry.at > since
            for number in msgspec.json.decode(entry.after, type=dict[str, int | str]).values()
            if isinstance(number, int)
        )
