"""Turns: a few queries at a time, so that one client's many do not hold up another's."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from services.http.errors import ApiError, unavailable

RETRY_SECONDS = 5


class NoTurnError(Exception):
    """A client, or all together, wait for too many turns already."""


class Turns:
    """A limited number of turns at a time; waiting clients are served round-robin."""

    def __init__(self, calls: int, most: int, most_of_one: int) -> None:
        """Prepare.

        calls        turns at a time
        most         how many may wait
        most_of_one  how many of one client may wait
        """
        self._free = calls
        self._most = most
        self._most_of_one = most_of_one
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, who: str, seconds: float) -> AsyncIterator[None]:
        """Wait for a turn, and have it.

        Raises NoTurnError, or TimeoutError when it does not come in time.
        """
        await self._acquire(who, seconds)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, who: str, seconds: float) -> None:
        if self._free:
            self._free -= 1
            return
        mine = self._waiting.get(who, ())
        if len(mine) >= self._most_of_one or sum(map(len, self._waiting.values())) >= self._most:
            raise NoTurnError(who)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._release()  # it came at the same moment
            else:
                self._forget(who, turn)
            raise

    def _release(self) -> None:
        while self._waiting:
            who, waiting = self._waiting.popitem(last=False)
            turn = waiting.popleft()
            if waiting:
                self._waiting[who] = waiting  # the next turn is another's
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _forget(self, who: str, turn: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(who)
        if waiting is not None and turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[who]


def refusal(calls: int, error: TimeoutError | NoTurnError) -> ApiError:
    """Return how a query is refused that got no turn; so many are answered at a time."""
    if isinstance(error, TimeoutError):
        return unavailable(f"{calls} queries of traffic are under way; try again later")
    problem = (
        f"{calls} queries of traffic are under way, and too many wait for their turn; try again"
        " later"
    )
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, {"query": problem}, headers)
