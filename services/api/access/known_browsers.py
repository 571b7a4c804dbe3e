"""Browsers that have signed in to an account before: each proves it with a signed cookie.

Nothing is stored about them: the key is derived from the user's password hash, which nobody outside
has, so a new password makes all of them unknown again.
"""

import hmac
import secrets
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from services.model.account import Role, User

PLAIN = "luot_known"
SECURE = f"__Host-{PLAIN}"
KEPT_SECONDS = 365 * 86_400
"""From the last sign-in; browsers keep no cookie for much longer."""
MAX_ACCOUNTS = 5
"""How many accounts one browser can be known to, for colleagues who share a desk."""

_NOBODY = User(name="-", password="", role=Role.VIEWER, stamp=secrets.token_hex())
"""Checked in place of an unknown user; nobody can make a proof of it."""
_ID_BYTES = 12
_BETWEEN = "~"


def known(request: Request, secure: bool, user: User | None, now: float) -> str | None:
    """Return the id of a browser that has signed in to this account, else None.

    For an unknown name, it does the same work.
    """
    matched = None
    for proof in _proofs(request, secure):
        browser = _checked(proof, user or _NOBODY, now)
        matched = browser if matched is None else matched
    return None if user is None else matched


def remember(request: Request, response: Response, secure: bool, user: User, now: float) -> None:
    """Give a browser that has just signed in a proof for the next time; keep other accounts."""
    others = [
        proof for proof in _proofs(request, secure) if _checked(proof, user, now) is None and proof
    ]
    browser = known(request, secure, user, now) or secrets.token_urlsafe(_ID_BYTES)
    proof = f"{browser}.{int(now)}"
    proof = f"{proof}.{_mac(user, proof)}"
    response.set_cookie(
        SECURE if secure else PLAIN,
        _BETWEEN.join([proof, *others][:MAX_ACCOUNTS]),
        max_age=KEPT_SECONDS,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def _proofs(request: Request, secure: bool) -> list[str]:
    text = request.cookies.get(SECURE if secure else PLAIN, "")
    return text.split(_BETWEEN)[:MAX_ACCOUNTS] if text.isascii() else []


def _checked(proof: str, user: User, now: float) -> str | None:
    """Return the id in a proof, if it is one for this account."""
    signed, _, mac = proof.rpartition(".")
    browser, _, issued = signed.rpartition(".")
    if not hmac.compare_digest(_mac(user, signed).encode(), mac.encode()):
        return None
    try:
        return browser if now < int(issued) + KEPT_SECONDS else None
    except ValueError:
        return None


def _mac(user: User, signed: str) -> str:
    key = sha256(f"known browser\0{user.password}\0{user.stamp}".encode()).digest()
    return hmac.new(key, f"{user.name}\0{signed}".encode(), sha256).hexdigest()
