"""What applies to every response to a browser: allowed host names, and what may be cached."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Self
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import metrics
from services.http.errors import ApiError, shown
from services.http.response import Header
from services.model.hosts import fold

ABOUT_THE_PROCESS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Requested by programs next to it, under whatever name they know it by."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""The command line, on the same machine."""
HSTS: Header = (b"strict-transport-security", b"max-age=31536000")
_PRIVATE = (b"cache-control", b"no-store")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")

_UNKNOWN_HOST = metrics.REFUSED_REQUESTS.create().labels("unknown_host")


class HostNames(tuple[str, ...]):
    """Names of hosts; comma-separated in a setting."""

    __slots__ = ()

    @classmethod
    def of_setting(cls, value: str) -> Self:
        """Parse a setting. Raises ValueError."""
        names = [part.strip() for part in value.split(",") if part.strip()]
        for name in names:
            if hostname(name) is None or "/" in name:
                raise ValueError(
                    f"{name!r} is no host name; expected for example 'luot.example.vn'"
                )
        return cls(str(hostname(name)) for name in names)


class Edge:
    """Refuses requests for host names that are not ours, and adds headers: plain ASGI."""

    def __init__(
        self,
        app: ASGIApp,
        public_url: str | None,
        more_names: Iterable[str] = (),
        private: tuple[str, ...] = (),
    ) -> None:
        """Wrap an application.

        public_url  where browsers reach it; without one, any name is accepted
        more_names  other names under which they reach it
        private     paths that, with all below them, nobody may store
        """
        self._app = app
        public = urlsplit(public_url) if public_url else None
        self._names = (
            None
            if public is None
            else frozenset({str(hostname(public.netloc)), *more_names, *LOOPBACK})
        )
        self._headers = (HSTS,) if public is not None and public.scheme == "https" else ()
        self._private = frozenset(private)
        self._below = tuple(f"{path}/" for path in private)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        headers = self._headers
        if path in self._private or path.startswith(self._below):
            headers = (*headers, _PRIVATE, _NO_SNIFF)
        if headers:
            send = _adding(headers, send)
        if self._names is not None and path not in ABOUT_THE_PROCESS:
            name = next((value for name, value in scope["headers"] if name == b"host"), None)
            if name is not None and hostname(name.decode("latin-1")) not in self._names:
                _UNKNOWN_HOST.inc()
                refusal = ApiError(
                    HTTPStatus.MISDIRECTED_REQUEST,
                    {"host": f"{shown(name.decode('latin-1'))} is no name of this server"},
                )
                await refusal.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def hostname(host: str) -> str | None:
    """Return the name in a header `Host`, folded, without port; None when there is none."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return None
    if not name or "@" in host:
        return None
    return name if ":" in name else fold(name)


def _adding(headers: Iterable[Header], send: Send) -> Send:
    """Return a `send` that adds the headers that a response lacks."""

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            has = {name for name, _ in message["headers"]}
            missing = [header for header in headers if header[0] not in has]
            message = {**message, "headers": [*message["headers"], *missing]}
        await send(message)

    return add
