"""Answers that go out as they are: an extension of ASGI, offered by our HTTP connections.

uvicorn checks and joins the headers of every answer anew and writes head and body one by one. An
answer that is the same for thousands of requests is put together once and written at once.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

EXTENSION = "luot.prepared"
"""Its name among the `extensions` of a scope."""

Header = tuple[bytes, bytes]


class Prepared:
    """One complete answer, ready to be sent any number of times."""

    __slots__ = ("_body", "_headers", "_rest", "_status_line", "closes", "status")

    def __init__(self, status: int, headers: tuple[Header, ...], body: bytes) -> None:
        """Prepare; `headers` have a Content-Length unless the status allows no body."""
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
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            await send({"type": "http.response.body", "body": self._body})

    def on_the_wire(self, default_headers: list[Header]) -> bytes:
        """Return it with the headers that the server adds to every answer."""
        return b"%b%b%b" % (self._status_line, _added(default_headers), self._rest)


def write(cycle: RequestResponseCycle, answer: Prepared) -> bool:
    """Answer the request of a cycle; False when it must be sent in the ordinary way.

    That is: the connection ends with this answer or is gone, the client does not read, or it
    asked for the head only.
    """
    if (
        answer.closes
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
    cycle.transport.write(answer.on_the_wire(cycle.default_headers))
    cycle.on_response()
    return True


def _lines(headers: tuple[Header, ...] | list[Header]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


_last: tuple[list[Header], bytes] = ([], b"")


def _added(headers: list[Header]) -> bytes:
    """Return the lines of the server's headers; it makes new ones when the second changes."""
    global _last
    if headers is not _last[0]:
        _last = (headers, _lines(headers))
    return _last[1]
