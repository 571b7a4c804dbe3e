"""Slows down password guessing, without locking out the user who knows the password."""

from collections.abc import Sequence
from http import HTTPStatus

from services.http.errors import ApiError
from services.state.sign_in_attempts import SignInAttempts
from services.state.state import State

WINDOW_SECONDS = 900
LIMITS = {"name and address": 5, "address": 30, "name": 100}
"""Attempts in a window that may fail.

The first stops somebody who guesses from one place, and nobody else who has that name; the last
is for guesses from everywhere at once, and so high that it hardly locks anybody out.
"""


class Throttle:
    """Counts attempts to sign in; names and addresses are kept hashed, for minutes.

    Calls raise StateError while the state is away: then nobody could sign in anyway.
    """

    def __init__(self, state: State) -> None:
        self._attempts = SignInAttempts(state, WINDOW_SECONDS)

    async def attempt(self, name: str, address: str) -> list[str]:
        """Count an attempt as if it had failed, and return what `succeeded` takes it back by.

        Counted first, so that attempts at the same moment are not one. Raises ApiError, 429,
        after too many.
        """
        subjects = {"name and address": f"{address} {name}", "address": address, "name": name}
        counted = await self._attempts.count(subjects)
        waits = [
            max(1, attempts.seconds_left)
            for kind, attempts in zip(subjects, counted, strict=True)
            if attempts.number > LIMITS[kind]
        ]
        if waits:
            seconds = max(waits)
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                {"sign_in": f"too many attempts; try again in {seconds} seconds"},
                {"Retry-After": str(seconds)},
            )
        return [attempts.key for attempts in counted]

    async def succeeded(self, counted: Sequence[str]) -> None:
        """Take an attempt back: it did not fail."""
        await self._attempts.take_back(counted[:1], counted[1:])
