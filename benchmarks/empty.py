"""The ceiling of everything that answers HTTP: the emptiest ASGI application on the same server.

`python -m benchmarks.empty PROTOCOL` prints its port. PROTOCOL `bare` is uvicorn as it comes,
`limited` has the limits for one client that Luot's services set (`services/http/protocol.py`).
"""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import uvicorn

from services.http import server

_START = {
    "type": "http.response.start",
    "status": 202,
    "headers": [(b"content-length", b"2"), (b"content-type", b"text/plain")],
}
_BODY = {"type": "http.response.body", "body": b"ok"}


class Empty(msgspec.Struct, frozen=True):
    """A running empty application."""

    pid: int
    port: int


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer `ok` to everything."""
    await send(_START)
    await send(_BODY)


@contextlib.contextmanager
def running(protocol: str) -> Iterator[Empty]:
    """Run it in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.empty", protocol], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Empty(process.pid, int(process.stdout.readline()))
    finally:
        process.terminate()
        process.communicate(timeout=10)


def main() -> None:
    """Serve until SIGTERM."""
    config = server.config(app, log_level="error", shutdown_seconds=1, proxies=(), lifespan="off")
    if sys.argv[1] == "bare":
        config.http = "httptools"
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        print(listening.getsockname()[1], flush=True)
        uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main()
