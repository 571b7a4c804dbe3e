"""Tells the API, right after a flush, which sites' numbers may have changed."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Collection

from services.runtime.outage import Outage
from services.state.changes import Notices
from services.state.errors import StateError
from services.state.state import State

log = logging.getLogger(__name__)

TELL_SECONDS = 1.0
"""It publishes at least so often, if only that nothing changed: then the API need not poll."""


class ChangeTeller:
    """Publishes them on its own connection, so that a flush never waits for it."""

    def __init__(self, redis_url: str) -> None:
        self._state = State.open(redis_url, protocol=2)
        self._notices = Notices(self._state)
        self._outage = Outage(log, "cannot tell which sites changed", "which sites changed is told")
        self._changed: set[str] = set()
        self._arrived = asyncio.Event()
        self._name = secrets.token_hex(8)

    def add(self, sites: Collection[str]) -> None:
        """Publish sites as soon as possible, by the names of their counters."""
        self._changed.update(sites)
        self._arrived.set()

    async def tell_forever(self, owned: Callable[[], Collection[int]]) -> None:
        """Publish the changes in the partitions that this worker owns."""
        while True:
            self._arrived.clear()
            changed, self._changed = self._changed, set()
            try:
                await self._notices.tell(self._name, owned(), changed)
            except StateError as error:
                # Lost messages are not kept: another name shows that something is missing.
                self._name = secrets.token_hex(8)
                self._outage.begins(repr(error))
                await asyncio.sleep(TELL_SECONDS)
            else:
                self._outage.ends()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), TELL_SECONDS)

    async def close(self) -> None:
        """Publish the last flush, if possible, and close the connection."""
        if self._changed:
            with contextlib.suppress(StateError):
                await self._notices.tell(self._name, (), self._changed)
        await self._state.close()
