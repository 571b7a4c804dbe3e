"""A span for each request: plain ASGI, wrapped around a service only when tracing is on."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime import tracing

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNROUTED = "unrouted"
"""The route of requests that no router matched or saw: unknown paths and prebuilt answers."""
_PARENT = b"traceparent"


class Traced:
    """Traces requests by route. Spans from outside are linked to, never continued.

    Otherwise, whoever sends the header `traceparent` would decide what is sampled.
    """

    def __init__(self, app: ASGIApp, routes: frozenset[str] = frozenset()) -> None:
        """`routes` are paths that are their own route, where the application has no router."""
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "other"
        parents = [
            parent
            for name, value in scope["headers"]
            if name == _PARENT
            for parent in tracing.of_header(value)
        ]
        with tracing.span(method, parents, **{"http.request.method": method}) as span:

            async def observed(message: Message) -> None:
                if span is not None and message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            # Prebuilt responses bypass `send`, and would have no status.
            scope.pop("extensions", None)
            await self._app(scope, receive, observed)
            if span is not None:
                route = self._route(scope)
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)

    def _route(self, scope: Scope) -> str:
        if scope["path"] in self._routes:
            return str(scope["path"])
        route = getattr(scope.get("route"), "path", None)
        return str(route or getattr(scope.get("endpoint"), "__name__", UNROUTED))
