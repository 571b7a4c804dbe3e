"""Work for a client that may disconnect: it is cancelled then."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import Request

from services.http.errors import ApiError

T = TypeVar("T")

CLIENT_LEFT = 499
"""The status that nginx logs for such a request; no client receives it."""


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Return the result of work; cancel it, and raise ApiError, when the client disconnects.

    For requests whose body has been read, or that have none.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ApiError(CLIENT_LEFT, {"request": "the client left"})
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
