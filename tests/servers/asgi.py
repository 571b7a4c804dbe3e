"""An ASGI application on a free port, in the event loop of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tests.patience import PATIENCE_SECONDS


@asynccontextmanager
async def listening(application: Any, **options: Any) -> AsyncIterator[uvicorn.Server]:
    """Run a server until the end; `options` are those of uvicorn.Config.

    It keeps idle connections for as long as a test on a busy machine may do something else.
    """
    usual: dict[str, Any] = {"log_level": "error", "timeout_keep_alive": PATIENCE_SECONDS}
    server = uvicorn.Server(uvicorn.Config(application, port=0, ws="none", **(usual | options)))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
        if task.done():
            await task
    try:
        yield server
    finally:
        server.should_exit = True
        await task


def port_of(server: uvicorn.Server) -> int:
    """Return the port on which a server listens."""
    return int(server.servers[0].sockets[0].getsockname()[1])
