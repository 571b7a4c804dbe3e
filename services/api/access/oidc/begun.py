"""A sign-in under way at the provider, stored in a cookie of the browser.

So strangers who begin sign-ins use no memory here, and only the browser that began one can finish
it.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256

import msgspec
from starlette.requests import Request
from starlette.responses import Response

PLAIN = "luot_oidc"
SECURE = f"__Host-{PLAIN}"
KEPT_SECONDS = 900
"""How long people may take at the provider."""
MAX_NEXT = 1000
"""The most characters of the URL to continue to; a longer one is dropped."""
_BYTES = 32


class BegunSignIn(msgspec.Struct, frozen=True, array_like=True):
    """What the provider's answer is checked against.

    verifier  of PKCE (RFC 7636): who exchanges the code must know it
    next      where the browser goes once it is in
    at        when it began, in seconds since 1970
    """

    state: str
    nonce: str
    verifier: str
    next: str
    at: float

    @property
    def challenge(self) -> str:
        """The challenge sent to the provider for the verifier (RFC 7636, S256)."""
        digest = sha256(self.verifier.encode()).digest()
        return urlsafe_b64encode(digest).decode().rstrip("=")


def new(to: str, now: float) -> BegunSignIn:
    """Return a new one, with its own secrets."""
    state, nonce, verifier = (secrets.token_urlsafe(_BYTES) for _ in range(3))
    return BegunSignIn(state, nonce, verifier, to if len(to) <= MAX_NEXT else "", now)


class BegunCookie:
    """Writes and reads the cookie; the browser can read it and cannot make one."""

    def __init__(self, secret: str) -> None:
        self._key = sha256(f"begun sign-in\0{secret}".encode()).digest()

    def write(self, response: Response, begun: BegunSignIn, secure: bool) -> None:
        """Store it in the browser until it comes back."""
        body = urlsafe_b64encode(msgspec.json.encode(begun)).decode()
        response.set_cookie(
            SECURE if secure else PLAIN,
            f"{body}.{self._mac(body)}",
            max_age=KEPT_SECONDS,
            path="/",
            secure=secure,
            httponly=True,
            # The provider sends the browser back from its own site.
            samesite="lax",
        )

    def read(self, request: Request, secure: bool, now: float) -> BegunSignIn | None:
        """Return what the browser began, if it did so recently."""
        body, _, mac = request.cookies.get(SECURE if secure else PLAIN, "").rpartition(".")
        if not hmac.compare_digest(self._mac(body).encode(), mac.encode()):
            return None
        try:
            begun = msgspec.json.decode(urlsafe_b64decode(body), type=BegunSignIn)
        except (msgspec.MsgspecError, Error, ValueError):
            return None
        return begun if begun.at <= now < begun.at + KEPT_SECONDS else None

    @staticmethod
    def forget(response: Response, secure: bool) -> None:
        """Delete it from the browser: it works once."""
        response.delete_cookie(
            SECURE if secure else PLAIN, path="/", secure=secure, httponly=True, samesite="lax"
        )

    def _mac(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), sha256).hexdigest()
