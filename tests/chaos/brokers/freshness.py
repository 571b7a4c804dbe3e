"""How old the public numbers are, measured from outside."""

import asyncio
import time
from collections import deque

from tests.chaos.books import Books
from tests.chaos.run import Watch


class Freshness:
    """How long ago the first hit was accepted that the public numbers do not show yet."""

    def __init__(self, books: Books, watch: Watch) -> None:
        self._books = books
        self._watch = watch
        self._accepted: deque[tuple[float, int]] = deque()
        self.now = 0.0
        """Seconds; as exact as the pause between two reads of the numbers."""
        self.worst = 0.0
        """The most since this was set to 0."""

    async def run(self) -> None:
        while True:
            self._look(time.monotonic())
            await asyncio.sleep(0.1)

    def _look(self, at: float) -> None:
        count = len(self._books.accepted)
        if not self._accepted or self._accepted[-1][1] < count:
            self._accepted.append((at, count))
        shown = sum(self._watch.highest.values())
        while self._accepted and self._accepted[0][1] <= shown:
            self._accepted.popleft()
        self.now = at - self._accepted[0][0] if self._accepted else 0.0
        self.worst = max(self.worst, self.now)
