"""Turns of queries: so many at a time, and nobody's many keep another's one waiting."""

import asyncio

import pytest

from services.api.stats.readers.turns import NoTurnError, Turns

PATIENT = 60.0


class Queue:
    """Clients that take turns; each ends its turn when it is told."""

    def __init__(self, calls: int = 1, most: int = 100, most_of_one: int = 10) -> None:
        self.turns = Turns(calls, most, most_of_one)
        self.begun: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def come(self, name: str, who: str, seconds: float = PATIENT) -> None:
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._have(name, who, seconds))
        await asyncio.sleep(0)

    async def _have(self, name: str, who: str, seconds: float) -> None:
        async with self.turns.turn(who, seconds):
            self.begun.append(name)
            await self._ends[name].wait()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self.tasks[name]
        await asyncio.sleep(0)

    async def end_all(self) -> list[str]:
        """End every turn once it has begun; return their order."""
        for event in self._ends.values():
            event.set()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        return self.begun


async def test_so_many_at_a_time() -> None:
    queue = Queue(calls=2)
    for name in ("a1", "a2", "a3"):
        await queue.come(name, "a")
    assert queue.begun == ["a1", "a2"]
    await queue.end("a1")
    assert queue.begun == ["a1", "a2", "a3"]


async def test_who_comes_once_does_not_wait_behind_who_comes_often() -> None:
    queue = Queue()
    for name in ("a1", "a2", "a3", "a4"):
        await queue.come(name, "a")
    await queue.come("b1", "b")
    await queue.come("c1", "c")
    assert await queue.end_all() == ["a1", "a2", "b1", "c1", "a3", "a4"]


async def test_one_client_waits_so_often_and_all_together_so_often() -> None:
    queue = Queue(most=3, most_of_one=2)
    for name in ("a1", "a2", "a3", "a4"):
        await queue.come(name, "a")
    await queue.come("b1", "b")
    await queue.come("c1", "c")
    for name in ("a4", "c1"):
        with pytest.raises(NoTurnError):
            await queue.tasks[name]
    assert await queue.end_all() == ["a1", "a2", "b1", "a3"]


async def test_who_leaves_or_waits_too_long_takes_no_turn() -> None:
    queue = Queue()
    await queue.come("a1", "a")
    await queue.come("b1", "b")
    await queue.come("c1", "c", seconds=0.0)
    await queue.come("d1", "d")
    queue.tasks["b1"].cancel()
    with pytest.raises(TimeoutError):
        await queue.tasks["c1"]
    assert await queue.end_all() == ["a1", "d1"]
    await queue.come("e1", "e")
    assert queue.begun[-1] == "e1"


async def test_a_turn_that_comes_while_its_client_leaves_is_anothers() -> None:
    queue = Queue()
    async with queue.turns.turn("a", PATIENT):
        await queue.come("b1", "b")
        await queue.come("c1", "c")
    queue.tasks["b1"].cancel()  # it has the turn now, and does not know it yet
    assert await queue.end_all() == ["c1"]
