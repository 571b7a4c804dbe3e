"""Whether entries may be written in their short form: once all readers of the log know it.

An older aggregator would treat a short entry as invalid and set it aside. So each aggregator that
knows the form says so in its worker name. When there has been no other kind for a minute, a key is
set, and ingest, which polls for it, begins, never to stop again.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.log import keys
from services.runtime.tasks import end

SETTLED_MS = 60_000
"""How long there must be no older worker; a crashed one has restarted by then."""
LOOK_SECONDS = 10.0
_MARK = "+short"


def marked(worker: str) -> str:
    """Return the name of a worker that reads short entries, as the others see it."""
    return worker + _MARK


def plain(worker: str) -> str:
    """Return the name of a worker without the mark."""
    return worker.removesuffix(_MARK)


class ReadersOfShort:
    """An aggregator's view: it records that all workers read short entries."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._since: int | None = None

    async def see(self, workers: Sequence[str], now: int) -> None:
        """Process the names of all live workers, and the log's time. Raises RedisError."""
        if not workers or not all(worker.endswith(_MARK) for worker in workers):
            self._since = None
            return
        if self._since is None:
            self._since = now
        if now - self._since >= SETTLED_MS:
            # Again each minute: the server may have lost it.
            self._since = now
            # An older account may not write it, and a full server does not.
            with suppress(ResponseError):
                await self._redis.set(keys.SHORT, 1)


class ShortForm:
    """A producer's view: whether entries may be written in their short form."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._known = False
        self._next = 0.0
        self._asking: asyncio.Task[None] | None = None

    def allowed(self) -> bool:
        """Tell whether they may; until then, poll in the background."""
        if not self._known and (now := time.monotonic()) >= self._next:
            self._next = now + LOOK_SECONDS
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self.ask(), name="form of entries")
        return self._known

    async def ask(self) -> None:
        """Ask now; unknown while Redis does not answer."""
        with suppress(RedisError, OSError):
            self._known = bool(await self._redis.exists(keys.SHORT))

    async def close(self) -> None:
        """Stop polling."""
        if self._asking is not None:
            await end(self._asking)
