"""Codes of the second factor: from an app (RFC 6238), and recovery codes on paper."""

import hmac
import re
from hashlib import sha256

import pyotp

from services.runtime.passphrases import generate_code

STEP_SECONDS = 30
SECRET_LENGTH = 32
"""Characters in base 32: 160 bits, as RFC 4226, section 4, recommends."""
RECOVERY_CODES = 10
MAX_LENGTH = 40
"""The most characters of a typed code."""

_SECRET = re.compile(rf"[A-Z2-7]{{{SECRET_LENGTH}}}")
_LEAST_DISTINCT = 8
_NEAR = (0, -1, 1)
"""Steps around the current one whose codes are accepted, for clocks that are slightly off."""


def new_secret() -> str:
    """Return a random secret."""
    return pyotp.random_base32(SECRET_LENGTH)


def is_secret(text: str) -> bool:
    """Tell whether a text is a secret as `new_secret` makes them."""
    return bool(_SECRET.fullmatch(text)) and len(set(text)) >= _LEAST_DISTINCT


def address(secret: str, name: str, host: str) -> str:
    """Return the URI from which apps read a secret: `otpauth://…`."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=f"Luot {host}".strip())


def step_of(secret: str, code: str, now: float) -> int | None:
    """Return the time step around now whose code this is; None when there is none."""
    totp = pyotp.TOTP(secret)
    present = int(now) // STEP_SECONDS
    given = _plain(code).encode()
    matched = None
    for near in _NEAR:
        expected = totp.generate_otp(present + near).encode()
        if hmac.compare_digest(expected, given):
            matched = present + near
    return matched


def new_recovery_codes() -> list[str]:
    """Return codes for a user who has lost the app."""
    return [generate_code() for _ in range(RECOVERY_CODES)]


def digest(name: str, code: str) -> str:
    """Return the digest to store for a recovery code, which has too many bits to brute-force."""
    return sha256(f"recovery code\0{name}\0{_plain(code)}".encode("utf-8", "replace")).hexdigest()


def _plain(code: str) -> str:
    """Return a code without the spaces and dashes that make it easier to read."""
    return re.sub(r"[\s-]+", "", code).lower()[:MAX_LENGTH]
