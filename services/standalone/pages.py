"""Serves the demo portal with the headers that a careful portal sends."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from services.standalone import demo

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
}


async def portal(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request for the demo portal, or for / (which leads there)."""
    request = Request(scope, receive)
    await _answer(request)(scope, receive, send)


def _answer(request: Request) -> Response:
    if request.method not in ("GET", "HEAD"):
        return Response("method not allowed\n", 405, {"Allow": "GET, HEAD"}, "text/plain")
    if request.url.path == "/":
        return RedirectResponse(demo.ROOT, 302)
    found = demo.document(request.url.path)
    if found is None:
        return Response("không tìm thấy trang (not found)\n", 404, _HEADERS, "text/plain")
    cache = f"public, max-age={found.max_age}" if found.max_age else "no-cache"
    headers = {**_HEADERS, "Cache-Control": cache, "ETag": found.etag}
    known = {tag.strip().removeprefix("W/") for tag in _known(request)}
    if found.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type=found.media_type)


def _known(request: Request) -> list[str]:
    return request.headers.get("if-none-match", "").split(",")
