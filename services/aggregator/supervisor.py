"""Runs the tasks of the aggregator; the first error in any of them stops all of it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from services.log.errors import LogError
from services.runtime.tasks import end
from services.store.interface import StoreError

log = logging.getLogger(__name__)


class Supervisor:
    """The tasks, and the first error."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: asyncio.Future[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started and nothing has failed."""
        return self._failure is not None and not self._failure.done()

    def problem(self) -> str | None:
        """Return why it is not running; None when it is."""
        if self._failure is None:
            return "not started"
        if self._failure.done():
            return f"stopped: {self._failure.exception()}"
        return None

    def start(self) -> None:
        """Start accepting failures; inside a running event loop."""
        self._failure = asyncio.get_running_loop().create_future()

    def run(self, *work: Coroutine[Any, Any, None]) -> None:
        """Run each coroutine in its own task."""
        self._tasks += [asyncio.create_task(self._guard(one)) for one in work]

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Log an unrecoverable error; `failed` raises the first one."""
        # The message of an expected error suffices; for any other, the traceback helps.
        expected = isinstance(error, StoreError | LogError)
        log.critical(
            "the aggregator cannot go on: %s: %s",
            type(error).__name__,
            error,
            exc_info=None if expected else error,
        )
        if self._failure and not self._failure.done():
            self._failure.set_exception(error)

    async def failed(self) -> None:
        """Wait until something fails, and raise it."""
        if self._failure is None:
            raise RuntimeError("start() comes first")
        await asyncio.shield(self._failure)

    async def end_tasks(self) -> None:
        """Cancel the tasks and wait for their end."""
        await end(*self._tasks)

    def close(self) -> None:
        """Mark a failure as retrieved, so that asyncio does not report it again."""
        if self._failure and self._failure.done():
            self._failure.exception()
