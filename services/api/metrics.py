"""Metrics of the API, and the middleware that measures every request."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import metrics

REQUEST_SECONDS = metrics.REQUEST_SECONDS.create()
COUNTER_CACHE = metrics.COUNTER_CACHE.create()
STALE_ANSWERS = metrics.STALE_ANSWERS.create()
LOG_UP = metrics.LOG_UP.create().labels("api")
STORE_UP = metrics.STORE_UP.create().labels("api")

_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


class MetricsMiddleware:
    """Observes the duration of each request under its route.

    Plain ASGI: the route is known after the answer, from what routing left in the scope.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        code = "500"

        async def observe(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            REQUEST_SECONDS.labels(_route(scope), method, code).observe(
                time.perf_counter() - started
            )


def _route(scope: Scope) -> str:
    endpoint = scope.get("endpoint")
    return getattr(endpoint, "__name__", "other") if endpoint else "none"
