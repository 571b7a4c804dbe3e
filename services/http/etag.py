"""Conditional requests: weak ETags and 304 Not Modified (RFC 9110, section 13)."""

from collections.abc import Mapping
from hashlib import blake2b
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response


def weak(content: bytes) -> str:
    """Return the weak ETag of a response equivalent to `content`."""
    return f'W/"{blake2b(content, digest_size=9).hexdigest()}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Tell whether the client has this response cached; compares weakly, as GET does."""
    if not if_none_match:
        return False
    current = etag.removeprefix("W/")
    cached = (tag.strip() for tag in if_none_match.split(","))
    return any(tag == "*" or tag.removeprefix("W/") == current for tag in cached)


def answer(body: bytes, etag: str, headers: Mapping[str, str], media_type: str) -> Response:
    """Return the full response."""
    return Response(body, headers={**headers, "ETag": etag}, media_type=media_type)


def unchanged(etag: str, headers: Mapping[str, str]) -> Response:
    """Return 304 Not Modified, without the body."""
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**headers, "ETag": etag})


def respond(
    request: Request, body: bytes, etag: str, headers: Mapping[str, str], media_type: str
) -> Response:
    """Return the body, or 304 when the client has it cached."""
    if matches(request.headers.get("if-none-match"), etag):
        return unchanged(etag, headers)
    return answer(body, etag, headers, media_type)
