"""The HTTP server of every service: one configuration of uvicorn, one way to stop."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

import uvicorn

from services.http import protocol
from services.http.client_address import Network

_STARTUP_FAILED = 3


def config(
    app: Any,
    *,
    log_level: str,
    shutdown_seconds: int,
    proxies: Sequence[Network],
    lifespan: Literal["on", "off"] = "on",
    **more: Any,
) -> uvicorn.Config:
    """Return the configuration for an ASGI application.

    proxies  networks of the trusted proxies in front of it
    more     where it listens
    """
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol.limited_protocol(proxies),
        ws="none",
        lifespan=lifespan,
        # The peer must be the real one: ingest decides which proxies to believe.
        proxy_headers=False,
        server_header=False,
        # An access log would contain visitors' addresses.
        access_log=False,
        # Its log lines go where all others go.
        log_config=None,
        log_level=log_level,
        timeout_graceful_shutdown=shutdown_seconds,
        **more,
    )


def run(settings: uvicorn.Config) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first.

    Raises SystemExit when the application does not start or the port is taken.
    """
    # uvicorn raises the signal again when it is done; a clean stop must exit with status 0.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server = uvicorn.Server(settings)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_STARTUP_FAILED)


class BackgroundServer(uvicorn.Server):
    """A server beside other work in one process, stopped by its owner, not by a signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals."""
        yield
