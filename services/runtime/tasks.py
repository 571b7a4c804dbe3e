"""Cancels tasks that talk to a log, and finds those that ended by themselves."""

import asyncio
from typing import Any

_AGAIN_SECONDS = 0.2


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and wait until they are done.

    Cancels repeatedly: redis-py 8.1 can swallow a cancellation while it drops a connection,
    aiokafka 0.14 while it gives up an assignment, and the task would continue.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        done, waiting = await asyncio.wait(waiting, timeout=_AGAIN_SECONDS)
        await asyncio.gather(*done, return_exceptions=True)


def ended(*tasks: asyncio.Task[None] | None) -> str | None:
    """Return which of these tasks has ended, and how; None while all are running."""
    for task in tasks:
        if task is None:
            return "a task was not started"
        if task.done():
            how = "it was cancelled" if task.cancelled() else f"{task.exception()!r}"
            return f"the task {task.get_name()!r} has ended: {how}"
    return None
