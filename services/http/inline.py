"""The inline fast path: requests answered without a task of their own, for the busiest paths.

uvicorn makes a task, an event and a scope for every request. A request that has arrived whole
needs none of them: the application's coroutine runs where the request was read, and resumes in the
callback of the future that it awaits.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from services.http.response import Header, PrebuiltResponse
from services.runtime import request_id

_log = logging.getLogger(__name__)

_CLOSE: list[Header] = [(b"connection", b"close")]
_BROKEN = PrebuiltResponse(
    500,
    ((b"content-type", b"application/json"), (b"content-length", b"51"), *_CLOSE),
    b'{"errors": {"request": ["this could not be done"]}}',
)

Work = Coroutine[asyncio.Future[Any], None, PrebuiltResponse]
"""Makes a response. It may await futures, and coroutines that do; `asyncio.timeout` and whatever
else needs the current task have to run in a task of their own."""


class InlineApp(Protocol):
    """An ASGI application that answers some requests inline, too."""

    inline_targets: frozenset[bytes]
    """Exact request targets of the POSTs that are answered inline."""

    def answer_inline(
        self, path: str, headers: Sequence[Header], body: bytes, client: tuple[str, int] | None
    ) -> Work:
        """Return the work that answers a request; `client` is the peer, as in a scope."""


class _NoWaiter:
    """Stands in for the event that uvicorn sets when a connection is lost; unused here."""

    def set(self) -> None:
        """Do nothing."""


class InlineConnection(Protocol):
    """What a cycle needs of its connection."""

    transport: asyncio.Transport

    def default_headers(self) -> list[Header]:
        """Return the headers that the server adds to every response."""

    def on_response_complete(self) -> None:
        """Continue with the next request."""


class InlineCycle:
    """A request and its response: what uvicorn calls the cycle of a connection."""

    __slots__ = (
        "_connection",
        "_request_id",
        "_work",
        "disconnected",
        "keep_alive",
        "response_complete",
    )

    message_event = _NoWaiter()

    def __init__(
        self, connection: InlineConnection, work: Work, given_id: bytes | None = None
    ) -> None:
        """`given_id` is the request id from a proxy, which the response repeats."""
        self._connection = connection
        self._request_id = given_id
        self._work = work
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False

    def step(self, _done: object = None) -> None:
        """Run the work until it awaits something or is done."""
        try:
            waits_for = self._work.send(None)
        except StopIteration as done:
            self._respond(done.value)
        except Exception:
            # Bound only now: an ordinary request is not logged, and needs no id.
            with request_id.bound(self._request_id) as self._request_id:
                _log.exception("a request could not be answered")
            self._respond(_BROKEN)
        else:
            # As a task does to the future that its coroutine awaits.
            waits_for._asyncio_future_blocking = False  # noqa: SLF001
            waits_for.add_done_callback(self.step)

    def _respond(self, response: PrebuiltResponse) -> None:
        self.response_complete = True
        connection = self._connection
        if self.disconnected:
            return
        headers = connection.default_headers()
        closes = response.closes or not self.keep_alive
        if closes and not response.closes:
            headers = [*headers, *_CLOSE]
        connection.transport.write(response.encode(headers, self._request_id))
        if closes:
            connection.transport.close()
        connection.on_response_complete()
