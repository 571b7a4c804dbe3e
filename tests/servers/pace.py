"""Seconds as a process lives them: on a busy machine, fewer than pass on the clock."""

import asyncio
from typing import Self

TICK = 0.01


class Pace:
    """Counts short pauses of the event loop, as long as it is open.

    A limit on how long somebody may wait is a limit on what the code does meanwhile. A machine that
    gives this process a third of its time passes a third of the pauses, and the limit holds.
    """

    def __init__(self) -> None:
        self._ticks = 0
        self._ticking: asyncio.Task[None] | None = None

    def __call__(self) -> float:
        """Return the seconds so far: on an idle machine a little less than on the clock."""
        return self._ticks * TICK

    async def __aenter__(self) -> Self:
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._ticking is not None
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._ticks += 1
