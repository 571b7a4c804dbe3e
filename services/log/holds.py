"""What is done while a command holds every partition ends when it no longer holds them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.log.errors import HoldLostError, LogError

_log = logging.getLogger(__name__)


@asynccontextmanager
async def kept(renewed: Callable[[], Awaitable[bool]], seconds: float) -> AsyncIterator[None]:
    """Renew a hold that lasts `seconds`; cancel what is done within when it is lost.

    renewed  renew it; tell whether it was never anybody else's. May raise LogError

    Raises HoldLostError, also when the log was out of reach for as long as the hold lasts.
    """
    holder = asyncio.current_task()
    is_lost = asyncio.Event()

    async def renew() -> None:
        try:
            await _until_lost(renewed, seconds)
        except Exception:
            # Any error: what is not renewed any more is not held, either.
            _log.exception("the hold on the partitions cannot be renewed")
        _log.error("the hold on the partitions was lost")
        is_lost.set()
        if holder is not None:
            holder.cancel()

    renewing = asyncio.create_task(renew())
    try:
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
    except asyncio.CancelledError:
        if not is_lost.is_set():
            raise
        if holder is not None:
            holder.uncancel()
    if is_lost.is_set():
        raise HoldLostError


async def _until_lost(renewed: Callable[[], Awaitable[bool]], seconds: float) -> None:
    last, pause = time.monotonic(), seconds / 3
    while True:
        await asyncio.sleep(pause)
        asked = time.monotonic()
        try:
            async with asyncio.timeout(last + seconds - asked):
                if not await renewed():
                    return
        except (LogError, TimeoutError) as error:
            _log.warning("cannot renew the hold on the partitions: %r", error)
            pause = seconds / 30
            if time.monotonic() + pause - last >= seconds:
                return
        else:
            last, pause = asked, seconds / 3
