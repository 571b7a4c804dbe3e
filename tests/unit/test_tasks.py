"""A task that ends by itself is told of."""

import asyncio

from services.runtime.tasks import end, ended


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _fail() -> None:
    raise RuntimeError("a defect")


async def test_a_task_that_ended_is_named_with_its_error() -> None:
    alive = asyncio.create_task(_for_ever(), name="alive")
    failed = asyncio.create_task(_fail(), name="append")
    await asyncio.wait({failed})
    assert ended(alive) is None
    assert ended(alive, failed) == "the task 'append' has ended: RuntimeError('a defect')"
    await end(alive)
    assert ended(alive) == "the task 'alive' has ended: it was cancelled"
    assert ended(None) == "a task was not started"
