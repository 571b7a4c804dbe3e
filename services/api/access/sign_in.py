"""Signing in with name, password and code, and signing out."""

import time
from collections.abc import Callable
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services import metrics
from services.api.access import cookies, known_browsers
from services.api.access.authenticator import Authenticator, foreign
from services.api.access.origin import Origins
from services.api.access.passwords import MAX_LENGTH, Passwords
from services.api.access.principal import Principal
from services.api.access.second_factors import Proof, SecondFactors
from services.api.access.throttle import Guesser, Throttle
from services.api.access.trail import UNKNOWN, Occasion, Trail
from services.http.errors import ApiError, Translatable, unavailable
from services.model.account import User
from services.state.errors import StateError
from services.state.half_sign_ins import HalfSignIns
from services.state.sessions import session_id
from services.state.state import State

SIGNED_IN = "sign_in"
REFUSED = "sign_in.refused"
"""In the audit log."""

_sign_ins = metrics.SIGN_INS.create()
_SIGN_INS = {word: _sign_ins.labels(word) for word in ("ok", "refused", "throttled", "code")}


class SignedIn(msgspec.Struct, frozen=True):
    """A session that has just begun."""

    principal: Principal
    user: User
    secret: str
    secure: bool
    at: float

    @property
    def csrf(self) -> str:
        """The token that this session's changes must carry."""
        return cookies.csrf(self.secret)

    def write(self, request: Request, response: Response) -> None:
        """Set the session cookie, and the proof by which the browser is recognised next time."""
        cookies.write(response, self.secret, self.secure)
        known_browsers.remember(request, response, self.secure, self.user, self.at)


class CodeNeededError(ApiError):
    """The password is right, and the account has a second factor; continue with `half`."""

    def __init__(self, half: str) -> None:
        text = "this account has a second factor; expected a code of it as well"
        super().__init__(
            HTTPStatus.UNAUTHORIZED, {"code": Translatable(text, "sign_in.code.needed")}
        )
        self.half = half


class SignInService:
    """Begins and ends sessions."""

    def __init__(
        self,
        authenticator: Authenticator,
        state: State,
        factors: SecondFactors,
        trail: Trail,
        origins: Origins,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticator = authenticator
        self._throttle = Throttle(state)
        self._half = HalfSignIns(state)
        self._factors = factors
        self._trail = trail
        self._origins = origins
        self._clock = clock
        self.passwords = Passwords()

    async def sign_in(self, request: Request, name: str, password: str, code: str = "") -> SignedIn:
        """Begin a session.

        Raises ApiError: 401 when name or password is wrong, or CodeNeededError when both are right
        and a code is missing; 403 for a request from another site's page; 429 with Retry-After
        after too many attempts; 503 while the store or the state is down.
        """
        if self._authenticator.clients.is_foreign(request):
            raise foreign()
        name = name.strip().lower()
        try:
            user = await self._checked(request, name, password)
            if not user.second_factor:
                return await self._begin(request, user, None)
            if not code.strip():
                _SIGN_INS["code"].inc()
                raise CodeNeededError(await self._half.begin(user))
            proof = await self._proved_twice(request, user, code)
            return await self._begin(request, user, proof)
        except StateError as error:
            raise unavailable(f"nobody can sign in now: {error}") from error

    async def finish(self, request: Request, half: str, code: str) -> SignedIn:
        """Begin a session when only the code was missing. Raises ApiError, see `sign_in`."""
        authenticator = self._authenticator
        if authenticator.clients.is_foreign(request):
            raise foreign()
        try:
            begun = await self._half.find(half)
            await authenticator.accounts.fresh()
            user = None if begun is None else authenticator.accounts.users.get(begun.user)
            if begun is None or user is None or user.stamp != begun.stamp:
                text = "it took too long; sign in again from the beginning"
                raise ApiError(HTTPStatus.GONE, {"sign_in": Translatable(text, "sign_in.late")})
            proof = await self._proved_twice(request, user, code) if user.second_factor else None
            await self._half.end(half)
            return await self._begin(request, user, proof)
        except StateError as error:
            raise unavailable(f"nobody can sign in now: {error}") from error

    async def begin_outside(self, request: Request, user: User, by: str) -> SignedIn:
        """Begin a session of a user authenticated elsewhere. Raises ApiError, 503.

        by  who authenticated them, for the audit log
        """
        try:
            return await self._begin(request, user, None, by)
        except StateError as error:
            raise unavailable(f"nobody can sign in now: {error}") from error

    async def sign_out(self, request: Request, response: Response) -> None:
        """End the session of a request, and delete its cookie with `response`.

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
        """Return if it is the password of the user of a session. Raises ApiError, 401 or 429.

        A session is limited by itself: nobody else can use up its attempts.
        """
        secret = self._authenticator.secret(request) or ""
        browser = f"session {session_id(secret)}"
        who = Guesser(name, self._authenticator.clients.network(request), browser)
        try:
            user = self._authenticator.accounts.users.get(name)
            await self._with_password(who, user, password)
            await self._authenticator.sessions.prove(secret)
        except StateError as error:
            raise unavailable(f"passwords cannot be checked now: {error}") from error

    def remember(self, request: Request, response: Response, user: User) -> None:
        """Keep the browser of a user known after they have set another password."""
        secure = self._authenticator.clients.is_secure(request)
        known_browsers.remember(request, response, secure, user, self._clock())

    def close(self) -> None:
        """Stop the threads that hash passwords."""
        self.passwords.close()

    async def _checked(self, request: Request, name: str, password: str) -> User:
        """Return the user with a name and a password. Raises ApiError."""
        accounts = self._authenticator.accounts
        await accounts.fresh()
        user = accounts.users.get(name)
        if user is None and not accounts.loaded:
            raise unavailable("the users are not loaded yet")
        return await self._with_password(self._guesser(request, name, user), user, password)

    async def _with_password(self, who: Guesser, user: User | None, password: str) -> User:
        try:
            counted = await self._throttle.attempt(who)
        except ApiError:
            self._refuse(user, "throttled")
            raise
        # Users who sign in elsewhere have no password here.
        hashed = user.password or None if user and len(password) <= MAX_LENGTH else None
        right = await self.passwords.verify(
            hashed, password[:MAX_LENGTH], reserved=who.browser is not None
        )
        if user is None or not right:
            self._refuse(user, "wrong_password")
            raise wrong()
        await self._throttle.succeeded(counted)
        return user

    async def _proved_twice(self, request: Request, user: User, code: str) -> Proof:
        """Return what was given as a second factor. Raises ApiError."""
        try:
            counted = await self._throttle.attempt_code(
                self._guesser(request, user.name, user), user.stamp
            )
        except ApiError:
            self._refuse(user, "throttled")
            raise
        proof = await self._factors.proof(user, code)
        if proof is None:
            self._refuse(user, "wrong_code")
            text = "this code is wrong, or was used before"
            raise ApiError(
                HTTPStatus.UNAUTHORIZED, {"code": Translatable(text, "sign_in.code.wrong")}
            )
        await self._throttle.succeeded(counted)
        return proof

    async def _begin(
        self, request: Request, user: User, proof: Proof | None, by: str = ""
    ) -> SignedIn:
        authenticator, now = self._authenticator, self._clock()
        secure = authenticator.clients.is_secure(request)
        is_known = known_browsers.known(request, secure, user, now) is not None
        origin = await self._origins.of(request)
        if before := authenticator.secret(request):
            await authenticator.sessions.end(before)
        secret = await authenticator.sessions.begin(
            user, origin.browser, origin.system, origin.country
        )
        _SIGN_INS["ok"].inc()
        details = {**origin.fields(), "known_browser": is_known}
        if proof is not None:
            details["second_factor"] = proof
        if by:
            details["sign_in"] = by
        await self._trail.note(user.name, SIGNED_IN, session_id(secret), details)
        return SignedIn(self._authenticator.of_user(user), user, secret, secure, now)

    def _guesser(self, request: Request, name: str, user: User | None) -> Guesser:
        clients = self._authenticator.clients
        browser = known_browsers.known(request, clients.is_secure(request), user, self._clock())
        return Guesser(name, clients.network(request), browser)

    def _refuse(self, user: User | None, why: str) -> None:
        """Count a refusal, without an unknown name: it may be a password."""
        _SIGN_INS["throttled" if why == "throttled" else "refused"].inc()
        self._trail.count(Occasion(UNKNOWN, REFUSED, UNKNOWN if user is None else user.name), why)


def wrong() -> ApiError:
    """Return the refusal of a name and a password, the same whichever is wrong."""
    return ApiError(
        HTTPStatus.UNAUTHORIZED,
        {"sign_in": Translatable("name or password is wrong", "sign_in.wrong")},
    )
