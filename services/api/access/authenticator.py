"""Authenticates every request that is not public."""

import hmac
import logging
import time
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from typing import cast

from starlette.requests import Request

from services.api.access import cookies
from services.api.access.accounts import Accounts
from services.api.access.client_address import ClientAddresses
from services.api.access.header_sign_in import HeaderSignIn
from services.api.access.last_used import TokenLastUsed
from services.api.access.principal import Principal
from services.http.errors import ApiError, Translatable, unavailable
from services.model.account import ALL_SITES, Role, User
from services.runtime.outage import Outage
from services.settings import Secret
from services.state.errors import StateError
from services.state.sessions import Session, Sessions
from services.state.state import State

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

_ADMIN = Principal("admin token", Role.OWNER, frozenset({ALL_SITES}), "admin token")
_SESSIONS_AWAY = "luot.sessions_away"

log = logging.getLogger(__name__)


class MustEnrolError(ApiError):
    """The caller has to turn on a second factor first."""

    def __init__(self) -> None:
        text = "an owner asks you for a second factor; turn it on: PUT /api/admin/second-factor"
        super().__init__(
            HTTPStatus.FORBIDDEN, {"second_factor": Translatable(text, "error.must_enrol")}
        )


class Authenticator:
    """Identifies callers: by the admin token, a token, or a browser session."""

    def __init__(
        self,
        admin_token: Secret | None,
        accounts: Accounts,
        state: State,
        clients: ClientAddresses,
        clock: Callable[[], float] = time.time,
        header: HeaderSignIn | None = None,
    ) -> None:
        self._admin_token = None if admin_token is None else admin_token.get_secret_value().encode()
        self._clock = clock
        self._outage = Outage(log, "sessions cannot be read", "sessions are read")
        self.header = header
        self.accounts = accounts
        self.clients = clients
        self.sessions = Sessions(state, clock)
        self.last_used = TokenLastUsed(state, clock)

    async def authenticate(
        self, request: Request, csrf: str | None = None, *, enrolling: bool = False
    ) -> Principal | None:
        """Return the caller; see `authenticate`.

        csrf  what a form sent as its CSRF token; scripts send it in the header X-CSRF-Token
        """
        who, secret = await self._whose(request)
        if secret is not None and who is not None and request.method not in SAFE_METHODS:
            self._check_sent_by_us(request, secret, csrf)
        if who is not None and who.must_enrol and not enrolling:
            raise MustEnrolError
        return who

    async def sender(self, request: Request) -> Principal | None:
        """Return the owner of a request's token or session, before any of its body is read.

        A page of another site may have sent it: only `authenticate` checks that.
        """
        who, _ = await self._whose(request)
        return who

    async def _whose(self, request: Request) -> tuple[Principal | None, str | None]:
        """Return the caller, and the id of their session, if any."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        # Other schemes are for a proxy in front, which may have passwords of its own.
        if scheme.lower() == "bearer":
            return await self._of_token(token.strip()), None
        secret = self.secret(request)
        return (None if secret is None else await self._of_session(request, secret)), secret

    async def session(self, request: Request) -> Session | None:
        """Return the session that a request came with. Raises ApiError while it cannot be read."""
        secret = self.secret(request)
        try:
            return None if secret is None else await self.sessions.find(secret)
        except StateError as error:
            raise unavailable(f"sessions cannot be read now: {error}") from error

    def secret(self, request: Request) -> str | None:
        """Return the session id that a browser sends."""
        return cookies.read(request, self.clients.is_secure(request))

    def stranger(self, request: Request) -> ApiError:
        """Return the error for a request without credentials."""
        if request.scope.get(_SESSIONS_AWAY):
            return unavailable("sessions cannot be read now; requests with a token work")
        return self._refusal("expected a session, or 'Bearer' and a token of this server")

    async def _of_token(self, given: str) -> Principal:
        encoded = given.encode("utf-8", "surrogatepass")
        if self._admin_token is not None and hmac.compare_digest(encoded, self._admin_token):
            return _ADMIN
        await self.accounts.fresh()
        token = self.accounts.token(sha256(encoded).hexdigest())
        if token is None:
            if not self.accounts.loaded:
                raise unavailable("the tokens are not loaded yet")
            raise self._refusal("this is no token of this server, or it was revoked")
        if token.is_expired(int(self._clock() * 1000)):
            raise self._refusal(f"the token {token.id} has expired")
        if token.role is Role.SEND:
            raise ApiError(
                HTTPStatus.FORBIDDEN,
                {"role": f"token:{token.id} is {token.role}; it may only send hits, to ingest"},
            )
        await self.last_used.note(token.id)
        reach = self.accounts.rights.reach(token.sites)
        return Principal(f"token:{token.id}", token.role, reach.slugs, "token", groups=reach.groups)

    async def _of_session(self, request: Request, secret: str) -> Principal | None:
        try:
            session = await self.sessions.find(secret)
        except StateError as error:
            self._outage.begins(error)
            request.scope[_SESSIONS_AWAY] = True
            return None
        self._outage.ends()
        if session is None:
            return None
        await self.accounts.fresh()
        user = self.accounts.users.get(session.user)
        if user is None or user.stamp != session.stamp:
            return None
        if user.sign_in == "header" and not self._is_vouched(request, user):
            return None
        return self.of_user(user)

    def _is_vouched(self, request: Request, user: User) -> bool:
        """Tell whether the proxy confirms that this request is from the user of its session."""
        return self.header is not None and self.header.identity(request) == user.identity

    def of_user(self, user: User) -> Principal:
        """Return the principal for a user."""
        slugs, groups = self.accounts.rights.reach(user.sites)
        return Principal(user.name, user.role, slugs, must_enrol=user.must_enrol, groups=groups)

    def _check_sent_by_us(self, request: Request, secret: str, csrf: str | None) -> None:
        if self.clients.is_foreign(request):
            raise foreign()
        given = csrf if csrf is not None else request.headers.get(cookies.CSRF_HEADER)
        if not cookies.is_csrf(secret, given):
            raise ApiError(
                HTTPStatus.FORBIDDEN,
                {"csrf": f"expected {cookies.CSRF_HEADER} with the token of this session"},
            )

    def _refusal(self, message: str) -> ApiError:
        if self._admin_token is None and self.accounts.loaded and not self.accounts.users:
            return ApiError(
                HTTPStatus.FORBIDDEN,
                {"authorization": "administration is off; set LUOT_ADMIN_TOKEN to turn it on"},
            )
        return ApiError(
            HTTPStatus.UNAUTHORIZED, {"authorization": message}, {"WWW-Authenticate": "Bearer"}
        )


def foreign() -> ApiError:
    """Return the error for a cross-site request."""
    return ApiError(HTTPStatus.FORBIDDEN, {"request": "a page of another origin sent it"})


async def authenticate(
    request: Request, csrf: str | None = None, *, enrolling: bool = False
) -> Principal | None:
    """Return the caller, by bearer token or session; None without credentials.

    Whoever must turn on a second factor first is refused, except when `enrolling`.

    A request of a session that changes something needs the session's CSRF token, in the header
    X-CSRF-Token or, read from a form, in `csrf`. Raises ApiError: 401 for a token that is wrong,
    revoked or expired, 403 for a request of a session that another site may have sent, 503 while
    tokens cannot be checked.
    """
    return await authenticator(request).authenticate(request, csrf, enrolling=enrolling)


def authenticator(request: Request) -> Authenticator:
    """Return the authenticator of the application that a request came to."""
    return cast("Authenticator", request.app.state.authenticator())
