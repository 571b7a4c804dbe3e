"""Serves the demo portals with the headers that a careful portal sends."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from services.standalone import demo

_HEADERS = {
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_NO_PAGE = {**_HEADERS, "Content-Security-Policy": "default-src 'none'"}


class DemoApp:
    """The ASGI application of everything under /demo, and of /, which redirects there."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`clock` gives the date shown at the top of a page."""
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._answer(Request(scope, receive))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response("method not allowed\n", 405, {"Allow": "GET, HEAD"}, "text/plain")
        if request.url.path == "/":
            return RedirectResponse(demo.ROOT, 302)
        origin = str(request.base_url).rstrip("/")
        document = demo.document(request.url.path, origin, self._clock())
        if document is None:
            return Response("không tìm thấy trang (not found)\n", 404, _NO_PAGE, "text/plain")
        max_age = document.max_age
        headers = {
            **_HEADERS,
            "Content-Security-Policy": document.policy,
            "Cache-Control": f"public, max-age={max_age}" if max_age else "no-cache",
            "ETag": document.etag,
        }
        known = {tag.strip().removeprefix("W/") for tag in _known_tags(request)}
        if document.etag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        return Response(document.body, headers=headers, media_type=document.media_type)


def _known_tags(request: Request) -> list[str]:
    return request.headers.get("if-none-match", "").split(",")
