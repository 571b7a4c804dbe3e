"""Signing in with name and password, and signing out."""

import logging
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services import metrics
from services.api.access import cookies
from services.api.access.authenticator import Authenticator, foreign, of_user
from services.api.access.passwords import MAX_LENGTH, Passwords
from services.api.access.principal import Principal
from services.api.access.throttle import Throttle
from services.http.errors import ApiError, unavailable
from services.state.errors import StateError
from services.state.state import State

log = logging.getLogger(__name__)

_SIGN_INS = metrics.SIGN_INS.create()


class SignedIn(msgspec.Struct, frozen=True):
    """A session that has just begun."""

    principal: Principal
    secret: str
    secure: bool

    @property
    def csrf(self) -> str:
        """The token that this session's changes must carry."""
        return cookies.csrf(self.secret)

    def write(self, response: Response) -> None:
        """Let the browser keep the session."""
        cookies.write(response, self.secret, self.secure)


class SignInService:
    """Begins and ends sessions."""

    def __init__(self, authenticator: Authenticator, state: State) -> None:
        self._authenticator = authenticator
        self._throttle = Throttle(state)
        self.passwords = Passwords()

    async def sign_in(self, request: Request, name: str, password: str) -> SignedIn:
        """Begin a session.

        Raises ApiError: 401 when name or password is wrong, 403 when another site's page asks,
        429 with Retry-After after too many attempts, 503 while the store or the state is away.
        """
        authenticator = self._authenticator
        if authenticator.clients.is_foreign(request):
            raise foreign()
        name = name.strip().lower()
        try:
            counted = await self._throttle.attempt(name, authenticator.clients.network(request))
            await authenticator.accounts.fresh()
            user = authenticator.accounts.users.get(name)
            if user is None and not authenticator.accounts.loaded:
                raise unavailable("the users are not loaded yet")
            hashed = user.password if user is not None and len(password) <= MAX_LENGTH else None
            right = await self.passwords.verify(hashed, password[:MAX_LENGTH])
            if user is None or not right:
                _SIGN_INS.labels("refused").inc()
                raise wrong()
            await self._throttle.succeeded(counted)
            if before := authenticator.secret(request):
                await authenticator.sessions.end(before)
            secret = await authenticator.sessions.begin(user)
        except StateError as error:
            raise unavailable(f"nobody can sign in now: {error}") from error
        except ApiError as refusal:
            if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
                _SIGN_INS.labels("throttled").inc()
            raise
        _SIGN_INS.labels("ok").inc()
        return SignedIn(of_user(user), secret, authenticator.clients.is_secure(request))

    async def sign_out(self, request: Request, response: Response) -> None:
        """End the session of a request; `response` lets the browser forget it.

        The request must have passed `principal`, which checks its CSRF token.
        """
        authenticator = self._authenticator
        if secret := authenticator.secret(request):
            try:
                await authenticator.sessions.end(secret)
            except StateError as error:
                raise unavailable(f"the session cannot be ended now: {error}") from error
        cookies.forget(response, authenticator.clients.is_secure(request))

    async def proved(self, request: Request, name: str, password: str) -> None:
        """Return if it is the password of a user. Raises ApiError, 401 or 429."""
        try:
            counted = await self._throttle.attempt(
                name, self._authenticator.clients.network(request)
            )
            user = self._authenticator.accounts.users.get(name)
            hashed = None if user is None else user.password
            if not await self.passwords.verify(hashed, password[:MAX_LENGTH]):
                raise wrong()
            await self._throttle.succeeded(counted)
        except StateError as error:
            raise unavailable(f"passwords cannot be checked now: {error}") from error

    def close(self) -> None:
        """End the threads that hash passwords."""
        self.passwords.close()


def wrong() -> ApiError:
    """Return the refusal of a name and a password, the same whichever is wrong."""
    return ApiError(HTTPStatus.UNAUTHORIZED, {"sign_in": "name or password is wrong"})
