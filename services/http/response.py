"""Prebuilt responses, sent as they are through an ASGI extension of our protocol.

uvicorn checks and joins the headers of every response anew and writes head and body separately. A
response that is the same for thousands of requests is built once and written at once.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from services.runtime import request_id

EXTENSION = "luot.prebuilt"
"""The name of the extension among the `extensions` of a scope."""

Header = tuple[bytes, bytes]


class PrebuiltResponse:
    """A complete response that can be sent any number of times."""

    __slots__ = ("_body", "_headers", "_rest", "_status_line", "closes", "status")

    def __init__(self, status: int, headers: tuple[Header, ...], body: bytes) -> None:
        """Build it; `headers` have a Content-Length unless the status allows no body."""
        self.status = status
        self.closes = any(name == b"connection" for name, _ in headers)
        self._headers = headers
        self._body = body
        self._status_line = STATUS_LINE[status]
        self._rest = b"%b\r\n%b" % (_lines(headers), body)

    async def send(
        self,
        scope: Mapping[str, Any],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request, over any server."""
        offered = scope.get("extensions")
        write = offered.get(EXTENSION) if offered else None
        if write is None or not write(self):
            headers = list(self._headers)
            if given := scope.get(request_id.SCOPE):
                headers.append((request_id.HEADER, given))
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            await send({"type": "http.response.body", "body": self._body})

    def encode(self, default_headers: list[Header], given_id: bytes | None = None) -> bytes:
        """Return it with the headers that the server adds to every response.

        `given_id` is the request id from a proxy; without one, none is made.
        """
        own = _encoded(default_headers)
        if given_id is not None:
            own += b"%b: %b\r\n" % (request_id.HEADER, given_id)
        return b"%b%b%b" % (self._status_line, own, self._rest)


def write(cycle: RequestResponseCycle, response: PrebuiltResponse) -> bool:
    """Answer the request of a cycle; False when it must be sent in the ordinary way.

    That is when the connection ends with this response or is gone, the client does not read, or it
    sent a HEAD request.
    """
    if (
        response.closes
        or not cycle.keep_alive
        or cycle.disconnected
        or cycle.response_started
        or cycle.flow.write_paused
        or cycle.scope["method"] == "HEAD"
    ):
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.message_event.set()
    given: Any = cycle.scope.get(request_id.SCOPE)
    cycle.transport.write(response.encode(cycle.default_headers, given))
    cycle.on_response()
    return True


def _lines(headers: tuple[Header, ...] | list[Header]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


_last: tuple[list[Header], bytes] = ([], b"")


def _encoded(headers: list[Header]) -> bytes:
    """Return the lines of the server's headers; uvicorn makes a new list once a second."""
    global _last
    if headers is not _last[0]:
        _last = (headers, _lines(headers))
    return _last[1]
