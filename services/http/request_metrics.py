"""Measures requests, in the same way in every service: by route, method and status."""

import time
from functools import cache

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import metrics
from services.http.edge import ABOUT_THE_PROCESS

UNKNOWN = "other"
"""The route of every path that does not exist, and any unknown method."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})

_SECONDS = metrics.REQUEST_SECONDS.create()


def observe(route: str, method: str, status: int, seconds: float) -> None:
    """Observe one answer. `route` is a route of the code, never a path as it was sent."""
    _histogram(route, method if method in _METHODS else UNKNOWN, status).observe(seconds)


def expect(route: str, method: str, *statuses: int) -> None:
    """Export a route from the start, so that its first answer shows as an increase."""
    for status in statuses:
        _histogram(route, method, status)


@cache
def _histogram(route: str, method: str, status: int) -> Histogram:
    return _SECONDS.labels(route, method, str(status))


def route_of(scope: Scope) -> str:
    """Return the path template of a request's route, known once the request was routed."""
    return str(getattr(scope.get("route"), "path_format", None) or UNKNOWN)


class RequestMetrics:
    """Observes every request except those about the process itself: plain ASGI.

    The route is known after the answer, from what routing left in the scope.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["path"] in ABOUT_THE_PROCESS:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            observe(route_of(scope), scope["method"], status, time.perf_counter() - started)
