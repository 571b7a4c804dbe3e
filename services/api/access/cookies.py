"""The session's cookie, and the token that proves that a form or script of ours sent a request."""

import hmac
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from services.state.sessions import LONGEST_SECONDS

PLAIN = "luot"
SECURE = f"__Host-{PLAIN}"
"""A browser accepts this name only over TLS, without a domain, for the whole host (RFC 6265bis)."""
CSRF_HEADER = "X-CSRF-Token"


def name(secure: bool) -> str:
    """Return the cookie's name."""
    return SECURE if secure else PLAIN


def read(request: Request, secure: bool) -> str | None:
    """Return the id of the session that a browser sends."""
    return request.cookies.get(name(secure)) or None


def write(response: Response, secret: str, secure: bool) -> None:
    """Set the session cookie."""
    response.set_cookie(
        name(secure),
        secret,
        max_age=LONGEST_SECONDS,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def forget(response: Response, secure: bool) -> None:
    """Delete the session cookie."""
    response.delete_cookie(name(secure), path="/", secure=secure, httponly=True, samesite="lax")


def csrf(secret: str) -> str:
    """Return the token that pages of a session send back with every change.

    It is derived from the session's id, so nothing is stored, and another site cannot know it.
    """
    return hmac.new(secret.encode("utf-8", "surrogatepass"), b"csrf", sha256).hexdigest()


def is_csrf(secret: str, given: str | None) -> bool:
    """Tell whether a request has the token of its session."""
    return given is not None and hmac.compare_digest(csrf(secret).encode(), given.encode())
