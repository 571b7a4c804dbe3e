"""Requests that are answered without a task of their own: for the few addresses asked most.

uvicorn makes a task, an event and a scope for every request. A request that has arrived whole
needs none of them: the application's coroutine is run where the request was read, and goes on
where what it waits for is done.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from services.http.response import Header, Prepared

_log = logging.getLogger(__name__)

_CLOSE: list[Header] = [(b"connection", b"close")]
_BROKEN = Prepared(
    500,
    ((b"content-type", b"application/json"), (b"content-length", b"51"), *_CLOSE),
    b'{"errors": {"request": ["this could not be done"]}}',
)

Work = Coroutine[asyncio.Future[Any], None, Prepared]
"""Makes an answer. It may wait for futures and for coroutines that do; `asyncio.timeout` and
whatever else asks for the current task need a task of their own."""


class Direct(Protocol):
    """An application that answers some requests directly, besides being an ASGI application."""

    direct_targets: frozenset[bytes]
    """What a request line must say exactly, of a POST."""

    def direct(
        self, path: str, headers: Sequence[Header], body: bytes, client: tuple[str, int] | None
    ) -> Work:
        """Return the work that answers a request; `client` is the peer, as in a scope."""


class _Nobody:
    """What uvicorn tells of a connection that is lost, when nobody waits to hear it."""

    def set(self) -> None:
        """Tell nobody."""


class Connection(Protocol):
    """What an exchange needs of its connection."""

    transport: asyncio.Transport

    def default_headers(self) -> list[Header]:
        """Return what the server adds to every answer."""

    def on_response_complete(self) -> None:
        """Go on with the next request."""


class Exchange:
    """One request and its answer; to uvicorn, the cycle of the connection."""

    __slots__ = ("_connection", "_work", "disconnected", "keep_alive", "response_complete")

    message_event = _Nobody()

    def __init__(self, connection: Connection, work: Work) -> None:
        self._connection = connection
        self._work = work
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False

    def go_on(self, _done: object = None) -> None:
        """Run the work until it waits for something or is done."""
        try:
            waits_for = self._work.send(None)
        except StopIteration as done:
            self._answer(done.value)
        except Exception:
            _log.exception("a request could not be answered")
            self._answer(_BROKEN)
        else:
            # What a task does with the future that its coroutine waits for.
            waits_for._asyncio_future_blocking = False  # noqa: SLF001
            waits_for.add_done_callback(self.go_on)

    def _answer(self, answer: Prepared) -> None:
        self.response_complete = True
        connection = self._connection
        if self.disconnected:
            return
        headers = connection.default_headers()
        closes = answer.closes or not self.keep_alive
        if closes and not answer.closes:
            headers = [*headers, *_CLOSE]
        connection.transport.write(answer.on_the_wire(headers))
        if closes:
            connection.transport.close()
        connection.on_response_complete()
