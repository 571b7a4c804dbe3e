"""Passwords: the rules for them, and argon2id (RFC 9106)."""

import asyncio
import unicodedata
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from services.api.access import weak_passwords
from services.http.errors import Translatable, unavailable

MIN_LENGTH = 10
MAX_LENGTH = 200

AT_ONCE = 2
"""How many are hashed concurrently; each takes MEMORY_KIB and a core."""
WAITING = 32
"""How many may wait for that; the next one is told to retry."""
RESERVED = 16
"""How many more may wait from browsers that signed in before: strangers cannot crowd them out."""
MEMORY_KIB = 32 * 1024
PASSES = 3

_hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)
_NOBODY = (
    f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1"
    "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
"""The hash of no password; checking one against it takes as long as any other."""


def check(name: str, password: str, sites: Iterable[str] = ()) -> Translatable | None:
    """Return why a password is not allowed, without quoting it; None if it is allowed.

    sites  names and hosts of the user's sites, which attackers try first
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        number = len(password)
        text = f"{number} characters; expected {MIN_LENGTH} to {MAX_LENGTH}, and any of them"
        return Translatable(
            text, "password.length", number=number, least=MIN_LENGTH, most=MAX_LENGTH
        )
    if name.casefold() in (password.casefold(), password.casefold()[::-1]):
        return Translatable(
            "it is the name; expected something that nobody guesses", "password.name"
        )
    if weak_passwords.is_weak(password, (name, *sites)):
        text = (
            "it is among those that are tried first: a common password, a name, a place, a date"
            " or a telephone number, also with digits or signs added; expected for example four"
            " words that do not belong together"
        )
        return Translatable(text, "password.weak")
    return None


def hashed(password: str) -> str:
    """Return the argon2id hash; takes long, see Passwords."""
    return _hasher.hash(_normal(password))


class Passwords:
    """Hashes and checks passwords in threads, a few at a time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._under_way = 0

    async def hash(self, password: str) -> str:
        """Return the hash to keep. Raises ApiError when too many wait."""
        return str(await self._run(hashed, password, reserved=True))

    async def verify(self, stored: str | None, password: str, *, reserved: bool = False) -> bool:
        """Tell whether a password matches a hash; with None, for nobody, it takes as long."""
        right = await self._run(_verified, stored or _NOBODY, password, reserved=reserved)
        return bool(right) and stored is not None

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: object, *given: str, reserved: bool = False) -> object:
        if self._under_way >= AT_ONCE + WAITING + (RESERVED if reserved else 0):
            raise unavailable("too many passwords are being checked; try again")
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work, *given)  # type: ignore[arg-type]
        finally:
            self._under_way -= 1


def _verified(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> bytes:
    """Return what is hashed: the same however the same letters are typed (Unicode, NFC)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
