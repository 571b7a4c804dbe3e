"""Hears which sites changed, and tells other API processes what was changed here."""

import asyncio
import logging
from contextlib import aclosing, suppress

from services.api.counter.changes import Changes
from services.runtime.outage import Outage
from services.state.changes import Notices
from services.state.errors import StateError
from services.state.state import State

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0


class ChangeListener:
    """Listens for as long as `listen_forever` runs; the periodic read covers what it misses."""

    def __init__(self, state: State, changes: Changes) -> None:
        self._notices = Notices(state)
        self._changes = changes
        self._outage = Outage(
            log, "cannot hear which sites changed", "which sites changed is heard"
        )
        self._to_tell: set[str] = set()
        self._telling = asyncio.Event()
        self.heard = asyncio.Event()
        """Set whenever a site has changed."""

    async def listen_forever(self) -> None:
        """Hear notices of aggregators and other processes; reconnect after each loss."""
        while True:
            try:
                async with aclosing(self._notices.heard()) as notices:
                    async for notice in notices:
                        self._outage.ends()
                        if self._changes.hear(notice):
                            self.heard.set()
            except StateError as error:
                self._outage.begins(error)
                await asyncio.sleep(AGAIN_SECONDS)
            finally:
                self._changes.hear(None)

    def changed(self, name: str) -> None:
        """Note that a user changed what is shown of a site, by the name it is kept under."""
        self._changes.touch(name)
        self.heard.set()
        self._to_tell.add(name)
        self._telling.set()

    async def tell_forever(self) -> None:
        """Tell others of such changes; if a notice is lost, their periodic read makes up for it."""
        while True:
            await self._telling.wait()
            self._telling.clear()
            names, self._to_tell = self._to_tell, set()
            with suppress(StateError):
                await self._notices.tell("", (), names)
