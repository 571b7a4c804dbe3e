"""How old the public numbers are, measured from outside."""

import asyncio
import time
from collections import deque

from tests.chaos.books import SITES, Books
from tests.chaos.run import Watch


class Freshness:
    """How long ago the first hit was accepted that its site's public number does not show yet."""

    def __init__(self, books: Books, watch: Watch) -> None:
        self._books = books
        self._watch = watch
        self._accepted: dict[str, deque[tuple[float, int]]] = {site: deque() for site in SITES}
        self.now = 0.0
        """Seconds; as exact as the pause between two reads of the numbers."""
        self.worst = 0.0
        """The most since this was set to 0."""

    async def run(self) -> None:
        while True:
            self._look(time.monotonic())
            await asyncio.sleep(0.1)

    def _look(self, at: float) -> None:
        self.now = max(self._age(site, at) for site in SITES)
        self.worst = max(self.worst, self.now)

    def _age(self, site: str, at: float) -> float:
        waiting, count = self._accepted[site], self._books.accepted_of[site]
        if count and (not waiting or waiting[-1][1] < count):
            waiting.append((at, count))
        while waiting and waiting[0][1] <= self._watch.highest[site]:
            waiting.popleft()
        return at - waiting[0][0] if waiting else 0.0
