"""An OpenID Connect provider: its metadata, its keys, and its claims about a person.

OpenID Connect Core 1.0 and Discovery 1.0, the code flow with PKCE (RFC 7636).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from services.api.access.oidc.begun import BegunSignIn
from services.api.access.oidc.settings import ProviderSettings
from services.http.errors import ApiError, Translatable, shown
from services.runtime.reasons import reason

ANSWER_SECONDS = 10.0
DESCRIBED_SECONDS = 3600.0
"""How long a provider's metadata is cached."""
KEYS_SECONDS = 10.0
"""The least time between fetching its keys again for tokens with an unknown key."""
SKEW_SECONDS = 60
"""How far its clock may differ from ours."""
MAX_BYTES = 1_000_000
"""Of an answer."""
AT_ONCE = 8
"""How many sign-ins talk to it at the same time; strangers can begin them."""
MOST_WAITING = 64
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signed with a key that only the provider has: never `none`, never with a shared secret."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class ProviderDescription(msgspec.Struct, frozen=True):
    """A provider's metadata (Discovery 1.0, section 3), as far as it is used here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Provider:
    """The provider in the settings. All calls raise ApiError, 502, while it does not answer."""

    def __init__(
        self,
        settings: ProviderSettings,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._client: httpx.AsyncClient | None = None
        self._described: ProviderDescription | None = None
        self._keys: KeySet | None = None
        self._described_at = self._keys_at = float("-inf")
        self._asking = asyncio.Lock()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def described(self) -> ProviderDescription:
        """Return its metadata; the last known while it does not answer."""
        async with self._asking:
            if self._monotonic() < self._described_at + DESCRIBED_SECONDS and self._described:
                return self._described
            url = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                description = _decoded(await self._ask("GET", url), ProviderDescription, url)
                if description.issuer != self._settings.issuer:
                    raise _away(
                        f"{url} is of the issuer {shown(description.issuer)}; expected"
                        f" LUOT_OIDC_ISSUER, {self._settings.issuer}"
                    )
            except ApiError:
                if self._described is None:
                    raise
                return self._described
            self._described, self._described_at = description, self._monotonic()
            return description

    async def address(self, begun: BegunSignIn) -> str:
        """Return where a browser goes to sign in."""
        described, settings = await self.described(), self._settings
        parameters = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": settings.back,
            "scope": settings.scopes,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": begun.challenge,
            "code_challenge_method": "S256",
        }
        return _with(described.authorization_endpoint, parameters)

    async def leaving(self) -> str | None:
        """Return where a browser signs out of the provider as well (RP-Initiated Logout 1.0)."""
        described, settings = await self.described(), self._settings
        if not described.end_session_endpoint:
            return None
        parameters = {
            "client_id": settings.client_id,
            "post_logout_redirect_uri": settings.left,
        }
        return _with(described.end_session_endpoint, parameters)

    async def claims(self, code: str, begun: BegunSignIn) -> Mapping[str, Any]:
        """Return what the provider says of the person whom a code stands for.

        Raises ApiError: 401 where the code or what it was exchanged for is not right; 503 while
        too many wait.
        """
        if self._waiting >= MOST_WAITING:
            text = "too many sign in at this moment; try again"
            message = Translatable(text, "oidc.busy")
            headers = {"Retry-After": "5"}
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, {"sign_in": message}, headers)
        self._waiting += 1
        try:
            async with self._turns:
                return await self._claims(code, begun)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _claims(self, code: str, begun: BegunSignIn) -> Mapping[str, Any]:
        described, settings = await self.described(), self._settings
        tokens = await self._exchanged(described, code, begun)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise _away(f"{described.token_endpoint} gave no id_token; is 'openid' in the scopes?")
        claims = await self._verified(described, id_token, begun.nonce)
        missing = {settings.user, settings.groups} - claims.keys()
        if not missing or not described.userinfo_endpoint or not isinstance(access_token, str):
            return claims
        url = described.userinfo_endpoint
        bearer = {"Authorization": f"Bearer {access_token}"}
        more = _decoded(await self._ask("GET", url, headers=bearer), dict[str, Any], url)
        if more.get("sub") != claims["sub"]:
            raise _not_right("userinfo is of somebody else")
        return {**more, **claims}

    async def _exchanged(
        self, described: ProviderDescription, code: str, begun: BegunSignIn
    ) -> dict[str, Any]:
        settings = self._settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.back,
            "code_verifier": begun.verifier,
        }
        auth: tuple[str, str] | None = None
        if settings.client_secret is None:
            form["client_id"] = settings.client_id
        elif "client_secret_basic" in described.token_endpoint_auth_methods_supported:
            # RFC 6749, section 2.3.1: as in a form, before the base 64.
            secret = settings.client_secret.get_secret_value()
            auth = quote_plus(settings.client_id), quote_plus(secret)
        else:
            form["client_id"] = settings.client_id
            form["client_secret"] = settings.client_secret.get_secret_value()
        url = described.token_endpoint
        body = await self._ask("POST", url, refused=True, data=form, auth=auth)
        return _decoded(body, dict[str, Any], url)

    async def _verified(
        self, described: ProviderDescription, id_token: str, nonce: str
    ) -> dict[str, Any]:
        """Return the claims of an ID token (OpenID Connect Core 1.0, section 3.1.3.7)."""
        settings = self._settings
        supported = described.id_token_signing_alg_values_supported
        allowed = [one for one in ALGORITHMS if one in supported]
        registry = JWSRegistry(algorithms=allowed, strict_check_header=False)
        rules = jwt.JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": settings.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": settings.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            try:
                token = jwt.decode(id_token, await self._known_keys(described), registry=registry)
            except InvalidKeyIdError:
                keys = await self._known_keys(described, anew=True)
                token = jwt.decode(id_token, keys, registry=registry)
            rules.validate(token.claims)
        except (JoseError, ValueError) as error:
            raise _not_right(str(error)) from None
        claims = token.claims
        others = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if others else settings.client_id) != settings.client_id:
            raise _not_right("azp: the token was made for another client")
        return claims

    async def _known_keys(self, described: ProviderDescription, *, anew: bool = False) -> KeySet:
        """Return its keys; `anew` asks for them again, as it may have others now."""
        async with self._asking:
            since = self._monotonic() - self._keys_at
            if self._keys is not None and since < (KEYS_SECONDS if anew else DESCRIBED_SECONDS):
                return self._keys
            url = described.jwks_uri
            key_set = _decoded(await self._ask("GET", url), dict[str, Any], url)
            try:
                self._keys = KeySet.import_key_set({"keys": list(key_set["keys"])})
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise _away(f"{url} has no keys that can be used: {error}") from None
            self._keys_at = self._monotonic()
            return self._keys

    async def _ask(self, method: str, url: str, *, refused: bool = False, **more: Any) -> bytes:
        """Return the body of an answer; `refused` says that an answer of 400 or 401 may come."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=ANSWER_SECONDS)
        body = bytearray()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                async with self._client.stream(method, url, **more) as answer:
                    async for chunk in answer.aiter_bytes():
                        body += chunk
                        if len(body) > MAX_BYTES:
                            raise _away(f"{url} answers with more than {MAX_BYTES} bytes")
        except TimeoutError:
            raise _away(f"{url} takes more than {ANSWER_SECONDS:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = reason(error)
            raise _away(f"{url} does not answer: {why}") from None
        if refused and answer.status_code in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED):
            raise _not_right(f"{url} says {shown(bytes(body), 200)}")
        if answer.status_code != HTTPStatus.OK:
            raise _away(f"{url} answers with {answer.status_code}")
        return bytes(body)


def _with(address: str, parameters: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters)}"


def _decoded(body: bytes, kind: type[T], url: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise _away(f"{url} answers with something else than expected: {error}") from None


def _away(why: str) -> ApiError:
    """Return the error for an unusable provider; only the log says why."""
    log.warning("nobody can sign in at the OIDC provider: %s", why)
    text = "the provider cannot be reached, or is not set up right; the log of Luot says why"
    return ApiError(HTTPStatus.BAD_GATEWAY, {"sign_in": Translatable(text, "oidc.away")})


def _not_right(why: str) -> ApiError:
    """Return the refusal of what a browser brought back."""
    log.warning("a sign-in by OIDC was refused: %s", why)
    text = "the provider's answer was refused; begin again"
    return ApiError(HTTPStatus.UNAUTHORIZED, {"sign_in": Translatable(text, "oidc.refused")})
