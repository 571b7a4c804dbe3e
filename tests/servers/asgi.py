"""An ASGI application on a free port, in the event loop of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def listening(application: Any, **options: Any) -> AsyncIterator[uvicorn.Server]:
    """Run a server until the end; `options` are those of uvicorn.Config."""
    server = uvicorn.Server(
        uvicorn.Config(application, port=0, ws="none", **{"log_level": "error", **options})
    )
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
