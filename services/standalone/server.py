"""The HTTP server of `luot up`, on a port that is already bound."""

import asyncio
import socket
from collections.abc import Sequence

from starlette.types import ASGIApp

from services.embedded.errors import UpError
from services.http import server
from services.http.client_address import Network
from services.runtime.reasons import reason

SHUTDOWN_SECONDS = 3


def bind(host: str, port: int) -> socket.socket:
    """Bind a port. Raises UpError if that is not possible."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UpError(f"host {host!r} is not an address of this machine: {reason(error)}") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise UpError(
            f"port {port} of {host} cannot be used: {error.strerror}; choose another with --port"
        ) from None
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the URL at which this machine reaches the port."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # it is replaced
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class HttpServer(server.BackgroundServer):
    """Serves an application on a port that is already bound."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        log_level: str,
        proxies: Sequence[Network],
    ) -> None:
        super().__init__(
            server.config(
                app,
                lifespan="off",
                log_level=log_level,
                shutdown_seconds=SHUTDOWN_SECONDS,
                proxies=proxies,
            )
        )
        self._listening = listening
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start serving."""
        self._task = asyncio.create_task(self.serve([self._listening]), name="serve http")
        while not self.started and not self._task.done():  # noqa: ASYNC110  # uvicorn's own flag
            await asyncio.sleep(0.005)
        if self._task.done():
            await self._task
            raise UpError("the HTTP server did not start")

    async def wait(self) -> None:
        """Wait until the server has stopped."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Accept no more requests, and finish those in flight."""
        self.should_exit = True
        await self.wait()
