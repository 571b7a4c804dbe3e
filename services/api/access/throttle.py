"""Slows down guessing, without locking out users who know their password."""

from http import HTTPStatus
from typing import NamedTuple

from services.http.errors import ApiError, Translatable
from services.state.sign_in_attempts import AttemptLimit, CountedAttempt, SignInAttempts
from services.state.state import State

WINDOW_SECONDS = 900
DAY_SECONDS = 86_400
LIMITS = {"name and address": 5, "address": 30, "name": 100, "known browser": 10}
"""Attempts in a window that may fail.

What is refused counts for nothing, so one address takes 5 of the 100 of a name and no more: twenty
addresses at work in the same quarter of an hour keep browsers out that never signed in to this
account. A browser that did is counted by itself, and by nothing else.
"""
CODE_LIMITS = {"code and address": 5, "code": 50, "code, known browser": 10}
"""Codes of the second factor that may be wrong: in a window, and those of `code` in a day.

Who gets that far knows the password. Of a million codes three are right at any time, so 50 a day
are right once in eighteen years.
"""


class Guesser(NamedTuple):
    """Who tries: a name, from an address.

    name     of the account, whether it exists or not
    browser  the id of the browser, if it has signed in to this account before
    """

    name: str
    address: str
    browser: str | None = None


class Throttle:
    """Counts attempts to sign in; names and addresses are kept hashed, for minutes.

    Calls raise StateError while the state is away: then nobody could sign in anyway.
    """

    def __init__(self, state: State) -> None:
        self._attempts = SignInAttempts(state)

    async def attempt(self, who: Guesser) -> CountedAttempt:
        """Count an attempt as if it had failed; `succeeded` takes it back.

        It is counted first, so that simultaneous attempts are all counted. Raises ApiError, 429,
        after too many.
        """
        if who.browser is not None:
            subjects = {"known browser": f"{who.browser} {who.name}"}
        else:
            subjects = {
                "name and address": f"{who.address} {who.name}",
                "address": who.address,
                "name": who.name,
            }
        return await self._count(
            [
                AttemptLimit(kind, subject, LIMITS[kind], WINDOW_SECONDS)
                for kind, subject in subjects.items()
            ]
        )

    async def attempt_code(self, who: Guesser, stamp: str) -> CountedAttempt:
        """Count a code of the second factor, as `attempt` does a password.

        stamp  of the user's password: a new one resets the day's count
        """
        if who.browser is not None:
            kind = "code, known browser"
            limits = [
                AttemptLimit(kind, f"{who.browser} {stamp}", CODE_LIMITS[kind], WINDOW_SECONDS)
            ]
        else:
            near, far = "code and address", "code"
            limits = [
                AttemptLimit(near, f"{who.address} {stamp}", CODE_LIMITS[near], WINDOW_SECONDS),
                AttemptLimit(far, stamp, CODE_LIMITS[far], DAY_SECONDS),
            ]
        return await self._count(limits)

    async def succeeded(self, counted: CountedAttempt) -> None:
        """Take back a successful attempt, and forget this guesser's earlier ones."""
        await self._attempts.take_back(counted.keys, forgotten=1)

    async def _count(self, limits: list[AttemptLimit]) -> CountedAttempt:
        counted = await self._attempts.count(limits)
        if seconds := counted.seconds_to_wait:
            text = f"too many attempts; try again in {seconds} seconds"
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                {"sign_in": Translatable(text, "sign_in.throttled", count=seconds)},
                {"Retry-After": str(seconds)},
            )
        return counted
