"""Reading requests and writing answers, without a framework."""

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from typing import Any

import msgspec

from services.http.response import Header, PrebuiltResponse
from services.ingest.drops import DropReason

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
MAX_BODY = 8 * 1024
"""Bytes of a body, or of an image's query."""
MAX_SENT_BODY = 512 * 1024
"""Bytes of the body of a request with a token."""
BODY_SECONDS = 10.0
RETRY_AFTER_SECONDS = 5

_ALWAYS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"X-Luot-Dropped"),
    (b"cross-origin-resource-policy", b"cross-origin"),
)

# The smallest transparent GIF89a: one pixel, two colours, the first of them invisible.
PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)


class TooLargeError(Exception):
    """A body over its limit."""


class IngestResponse(PrebuiltResponse):
    """A response of ingest, with the headers common to all of them."""

    __slots__ = ()

    def __init__(
        self, status: int, body: bytes, content_type: bytes | None, headers: tuple[Header, ...] = ()
    ) -> None:
        typed = () if content_type is None else ((b"content-type", content_type),)
        sized = () if status == 204 else ((b"content-length", str(len(body)).encode()),)
        super().__init__(status, (*_ALWAYS, *typed, *sized, *headers), body)


def json(status: int, value: object, headers: tuple[Header, ...] = ()) -> IngestResponse:
    """Return an answer with a value as JSON."""
    return IngestResponse(status, msgspec.json.encode(value), b"application/json", headers)


def errors(
    status: int, messages: dict[str, list[str]], headers: tuple[Header, ...] = ()
) -> IngestResponse:
    """Return an answer that says what was wrong, field by field."""
    return json(status, {"errors": messages}, headers)


_NO_STORE: Header = (b"cache-control", b"no-store")
LATER: Header = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())


def _dropped(reason: DropReason) -> Header:
    return (b"x-luot-dropped", reason.value.encode())


def _ok(*headers: Header) -> IngestResponse:
    return IngestResponse(202, b"ok", b"text/plain; charset=utf-8", headers)


def _pixel(status: int, *headers: Header) -> IngestResponse:
    return IngestResponse(status, PIXEL, b"image/gif", (_NO_STORE, *headers))


OK = _ok()
OK_DROPPED = {reason: _ok(_dropped(reason)) for reason in DropReason}
GIF = _pixel(200)
GIF_DROPPED = {reason: _pixel(200, _dropped(reason)) for reason in DropReason}
# An error is an image, too: a broken one would be visible on the portal's page.
GIF_UNREADABLE = _pixel(400, _dropped(DropReason.UNREADABLE))
GIF_TOO_LARGE = _pixel(413, _dropped(DropReason.UNREADABLE))
GIF_UNAVAILABLE = _pixel(503, LATER)

PREFLIGHT = IngestResponse(
    204,
    b"",
    None,
    (
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", b"Content-Type"),
        (b"access-control-max-age", b"86400"),
    ),
)
TOO_LARGE = errors(
    413, {"request": [f"larger than {MAX_BODY} bytes"]}, ((b"connection", b"close"),)
)
SENT_TOO_LARGE = errors(
    413,
    {"request": [f"larger than {MAX_SENT_BODY} bytes"]},
    ((b"connection", b"close"),),
)
TOO_SLOW = errors(
    408,
    {"request": [f"the body did not arrive within {BODY_SECONDS:.0f} seconds"]},
    ((b"connection", b"close"),),
)
NOT_FOUND = errors(404, {"request": ["no such path"]})


def wrong_method(method: str, *allowed: str) -> IngestResponse:
    """Return the answer to a method that the path does not support."""
    expected = ", ".join(allowed)
    return errors(
        405,
        {"request": [f"method {method}, expected {expected}"]},
        ((b"allow", expected.encode()),),
    )


def unknown_sender(reason: str) -> IngestResponse:
    """Return 401 with the reason."""
    headers = ((b"www-authenticate", b"Bearer"), (b"connection", b"close"))
    return errors(401, {"authorization": [reason]}, headers)


def unavailable(reason: str) -> IngestResponse:
    """Return 503 with the reason, and when to retry."""
    return errors(503, {"request": [reason]}, (LATER,))


async def read_body(
    receive: Receive, announced: bytes | None, limit: int = MAX_BODY
) -> bytes | None:
    """Return the body, or None when the client went away.

    `announced` is the header Content-Length. Raises TooLargeError, or TimeoutError when it does
    not arrive in time.
    """
    if announced is not None and announced.isdigit() and int(announced) > limit:
        raise TooLargeError
    reading = _read(receive, limit)
    try:
        waits_for = reading.send(None)
    except StopIteration as done:
        # Nearly always, the body came with the headers. A timer would cost more than all of this.
        body: bytes | None = done.value
    else:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _go_on(reading, waits_for)
    if body is not None and len(body) > limit:
        raise TooLargeError
    return body


async def _read(receive: Receive, limit: int) -> bytes | None:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= limit:
        message = await receive()
        body += message.get("body", b"")
    return None if message["type"] == "http.disconnect" else body


@types.coroutine
def _go_on(
    begun: Coroutine[Any, Any, bytes | None], waits_for: Any
) -> Generator[Any, Any, bytes | None]:
    """Await the rest of a coroutine that has started and is waiting."""
    try:
        yield waits_for
    except BaseException:
        begun.close()
        raise
    return (yield from begun.__await__())
