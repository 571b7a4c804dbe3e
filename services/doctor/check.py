"""One check, and the collector of checks."""

from collections.abc import Awaitable, Callable

import msgspec


class Check(msgspec.Struct, frozen=True):
    """The result of one check.

    ok      None if it could not be checked, or is neither right nor wrong
    found   what was found, in words
    advice  what to do about it, if it is not as it should be
    """

    part: str
    name: str
    ok: bool | None
    found: str
    advice: str = ""


class Findings:
    """Collects the checks of one part of the system."""

    def __init__(self, part: str) -> None:
        self._part = part
        self.checks: list[Check] = []

    def add(self, name: str, ok: bool | None, found: str, advice: str = "") -> None:
        """Add a check; the advice is kept unless it passed."""
        self.checks.append(Check(self._part, name, ok, found, "" if ok else advice))

    async def attempt(
        self, name: str, look: Callable[[], Awaitable[None]], *errors: type[Exception]
    ) -> bool:
        """Run a check; return whether it could run, and record why if it could not."""
        try:
            await look()
        except errors as error:
            self.add(name, None, f"could not be checked: {error}")
            return False
        return True
