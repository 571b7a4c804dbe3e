"""Signing in with an OpenID Connect provider, from the button to the session."""

import hmac
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.api.access.authenticator import Authenticator
from services.api.access.group_roles import OutsidePerson
from services.api.access.oidc import begun
from services.api.access.oidc.begun import BegunCookie
from services.api.access.oidc.settings import ProviderSettings
from services.api.access.outside_accounts import OutsideAccounts
from services.api.access.sign_in import SignedIn, SignInService
from services.http.errors import ApiError, Translatable, shown

PREFIX = "oidc "
"""Prefix of an account's identity, followed by the issuer and its name for the person."""
MAX_CODE = 4096
"""Characters of a code; providers send a few hundred at most."""
MAX_GROUPS = 2000
_EMAIL = "email"
_DENIED = "access_denied"


class CameBack(NamedTuple):
    """Somebody who has signed in, and where they wanted to go; '' for nowhere in particular."""

    signed: SignedIn
    next: str


class OidcSignIn:
    """Sends browsers to the provider, and signs in those that come back."""

    def __init__(
        self,
        settings: ProviderSettings,
        authenticator: Authenticator,
        accounts: OutsideAccounts,
        sign_in: SignInService,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._accounts = accounts
        self._sign_in = sign_in
        self._clock = clock
        # Its libraries take 15 MB, which an API without a provider saves.
        from services.api.access.oidc.provider import Provider

        self._provider = Provider(settings, clock, monotonic)
        secret = settings.client_secret
        self._cookie = BegunCookie(
            f"{settings.client_id}\0{secret.get_secret_value() if secret else ''}"
        )

    @property
    def name(self) -> str:
        """What people call the provider."""
        return self._settings.name

    async def begin(self, request: Request, to: str) -> Response:
        """Return a redirect to the provider; `to` is a path to continue to. Raises ApiError.

        The caller must have checked that the path is on this server.
        """
        new = begun.new(to, self._clock())
        headers = {"Cache-Control": "no-store"}
        response = RedirectResponse(
            await self._provider.address(new), HTTPStatus.SEE_OTHER, headers
        )
        self._cookie.write(response, new, self._is_secure(request))
        return response

    async def finish(self, request: Request) -> CameBack:
        """Begin the session of a browser that comes back. Raises ApiError.

        400 if it did not begin here, or too long ago; 401 if the provider refused it or its answer
        is invalid; 403 if the person may do nothing here; see OutsideAccounts.
        """
        given = request.query_params
        attempt = self._cookie.read(request, self._is_secure(request), self._clock())
        if attempt is None or not hmac.compare_digest(
            attempt.state.encode(), given.get("state", "").encode()
        ):
            text = "this sign-in did not begin in this browser, or too long ago; begin again"
            raise ApiError(HTTPStatus.BAD_REQUEST, {"sign_in": Translatable(text, "oidc.late")})
        # RFC 9207: an answer from another provider must not be taken for one from this.
        if given.get("iss", self._settings.issuer) != self._settings.issuer:
            text = "the answer is of another provider"
            raise ApiError(HTTPStatus.UNAUTHORIZED, {"sign_in": Translatable(text, "oidc.refused")})
        if (error := given.get("error")) is not None:
            text = f"the provider says {shown(error)}"
            message = Translatable(text, "oidc.failed", error=error[:80])
            if error == _DENIED:
                message = Translatable(text, "oidc.denied")
            raise ApiError(HTTPStatus.UNAUTHORIZED, {"sign_in": message})
        code = given.get("code", "")
        if not 0 < len(code) <= MAX_CODE:
            text = "the provider sent no code; begin again"
            raise ApiError(HTTPStatus.BAD_REQUEST, {"sign_in": Translatable(text, "oidc.late")})
        claims = await self._provider.claims(code, attempt)
        user = await self._accounts.admit(self._person(claims))
        return CameBack(await self._sign_in.begin_outside(request, user, "oidc"), attempt.next)

    def forget(self, request: Request, response: Response) -> None:
        """Delete what a browser began: it works once."""
        self._cookie.forget(response, self._is_secure(request))

    async def leaving(self) -> str | None:
        """Return the URL that signs out of the provider, too; None if it has none."""
        return await self._provider.leaving()

    async def close(self) -> None:
        """Close the connections to the provider."""
        await self._provider.close()

    def _person(self, claims: Mapping[str, Any]) -> OutsidePerson:
        settings = self._settings
        name = claims.get(settings.user)
        if not isinstance(name, str) or not name.strip():
            text = f"the provider does not say {settings.user}, by which accounts are named here"
            message = Translatable(text, "oidc.no_name", claim=settings.user)
            raise ApiError(HTTPStatus.FORBIDDEN, {"sign_in": message})
        if settings.user == _EMAIL and claims.get("email_verified") is not True:
            text = "the provider has not verified this address"
            raise ApiError(HTTPStatus.FORBIDDEN, {"sign_in": Translatable(text, "oidc.unverified")})
        given = claims.get(settings.groups, [])
        listed = given if isinstance(given, list) else [given]
        groups = {one for one in listed[:MAX_GROUPS] if isinstance(one, str)}
        return OutsidePerson(
            "oidc",
            f"{PREFIX}{settings.issuer} {claims['sub']}",
            name.strip().lower(),
            settings.roles.of(groups),
        )

    def _is_secure(self, request: Request) -> bool:
        return self._authenticator.clients.is_secure(request)
