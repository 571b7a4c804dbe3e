"""The HTTP protocol with limits on how much a client may send, and how slowly.

uvicorn's own protocol accepts heads of any size and waits for them forever, so 500 connections
that send a byte a minute could stay open as long as they like. A proxy in front limits this, too;
these limits work without one.
"""

import asyncio
import logging
import resource
from collections.abc import Sequence
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from services import metrics
from services.http import response
from services.http.client_address import Addresses, Network
from services.http.inline import InlineApp, InlineCycle
from services.http.response import Header, PrebuiltResponse
from services.runtime import request_id

MAX_HEAD_BYTES = 48 * 1024
"""Request line and headers; the longest query accepted has 32 KiB."""
HEAD_SECONDS = 10.0
"""How long a head may take; also how long a new connection may stay silent."""
BODY_BYTES_PER_TICK = 10 * 1024
"""The least that must arrive of a body in each HEAD_SECONDS, unless it ends."""
SEND_SECONDS = 30.0
"""How long a client may leave a response unread."""
PROXY_IDLE_SECONDS = 130
"""How long a trusted proxy may keep a connection idle: longer than proxies do by default (nginx 60,
Traefik 90, Caddy 120). If Luot closed it first, a request could be on its way at that moment."""
SPARE_FILES = 256
"""File descriptors reserved for everything but connections."""

_refused = metrics.REFUSED_REQUESTS.create()
_REFUSED = {
    reason: _refused.labels(reason)
    for reason in (
        "answer_unread",
        "body_too_slow",
        "head_too_large",
        "head_too_slow",
        "host",
        "malformed",
        "silent",
        "too_many_connections",
    )
}
_NOISE = (
    "Invalid HTTP request",
    "Unsupported upgrade",
    "No supported WebSocket",
    # From a failed start: the application has said why, in one line.
    "Traceback (most recent call last)",
)


class LimitedHttp(HttpToolsProtocol):
    """uvicorn's protocol on httptools, within limits.

    Refusals have the common shape of errors, and close the connection.
    """

    head_seconds = HEAD_SECONDS
    send_seconds = SEND_SECONDS
    max_connections = 1 << 30
    proxies = Addresses(())

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._in_message = False
        self._in_head = True
        self._head_bytes = 0
        self._asked = False
        self._hosts = 0
        self._request_id: bytes | None = None
        self._body_bytes = 0
        self._chunk_bytes = 0
        self._since_begin = 0
        self._answering: RequestResponseCycle
        self._inline: InlineApp | None = self.app if hasattr(self.app, "inline_targets") else None
        self._inline_body: bytes | None = None
        self._extensions: dict[str, Any] = {response.EXTENSION: self._write}
        self._refusal = (400, "malformed", "this is not HTTP")
        self._slow: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            _REFUSED["too_many_connections"].inc()
            transport.abort()
            return
        if self.proxies.trusts(self.client[0] if self.client else ""):
            self.timeout_keep_alive = PROXY_IDLE_SECONDS
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection."""
        self._unwatch()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and arm or cancel the timeout of the request."""
        size = len(data)
        self._chunk_bytes = size
        self._since_begin += size
        if self._in_head:
            self._head_bytes += size
        else:
            self._body_bytes += size
        super().data_received(data)
        if self._inline_body is not None:
            self._hand_to_task(self._inline_body)
        if self.transport.is_closing():
            self._unwatch()
        elif self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, "head_too_large", f"the head is over {MAX_HEAD_BYTES} bytes")
        elif self._in_message or self._is_idle():
            self._watch()
        else:
            self._unwatch()

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._inline is None:
            super().on_message_begin()
        else:
            self.url, self.headers, self.expect_100_continue = b"", [], False
        self._in_message = self._in_head = True
        self._hosts = 0
        self._request_id = None
        self._since_begin = self._chunk_bytes

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header; trailers, after a body, are ignored."""
        if self._in_head:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            elif name == b"host":
                self._hosts += 1
            elif name == request_id.HEADER:
                self._request_id = request_id.sane(value)
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Pass the request on. Raises ValueError when its head is too large or names no host."""
        # The head may have arrived together with part of the body or with other requests, so it is
        # measured only when all of that exceeds the limit of a head.
        if self._since_begin > MAX_HEAD_BYTES and self._head_size() > MAX_HEAD_BYTES:
            self._refusal = (431, "head_too_large", f"the head is over {MAX_HEAD_BYTES} bytes")
            raise ValueError(self._refusal)
        # RFC 9112, section 3.2: two parties that pick different hosts are easily deceived.
        if self._hosts != 1 and (self._hosts or self.parser.get_http_version() == "1.1"):
            expected = f"{self._hosts} headers Host; expected one"
            self._refusal = (400, "host", expected)
            raise ValueError(self._refusal)
        self._in_head = False
        self._head_bytes = self._body_bytes = 0
        if self._inline is not None and self._is_inline(self._inline):
            self._inline_body = b""
        else:
            self._pass_on()

    def on_body(self, body: bytes) -> None:
        """Receive part of a body."""
        if self._inline_body is None:
            super().on_body(body)
        else:
            self._inline_body += body

    def on_message_complete(self) -> None:
        """End a request."""
        if self._inline_body is None:
            super().on_message_complete()
        else:
            self._answer_inline(self._inline_body)
        self._in_message, self._in_head = False, True
        # Cheaper than a new timer for each request.
        self._asked = True

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not forever."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.send_seconds, self._give_up)

    def resume_writing(self) -> None:
        """Resume sending."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed."""
        self._refuse(*self._refusal)

    def default_headers(self) -> list[Header]:
        """Return the headers added to every answer; a new list once a second."""
        return self.server_state.default_headers

    def _is_inline(self, app: InlineApp) -> bool:
        """Tell whether this is an ordinary request of the kind that is answered inline."""
        return (
            self.url in app.inline_targets
            and self.parser.get_method() == b"POST"
            and self._is_idle()
            and not self.expect_100_continue
            and not self.flow.write_paused
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and self.parser.get_http_version() == "1.1"
        )

    def _answer_inline(self, body: bytes) -> None:
        assert self._inline is not None  # noqa: S101
        self._inline_body = None
        work = self._inline.answer_inline(self.url.decode("ascii"), self.headers, body, self.client)
        cycle = InlineCycle(self, work, self._request_id)
        self.cycle = cycle  # type: ignore[assignment]
        cycle.step()

    def _hand_to_task(self, body: bytes) -> None:
        """Fall back to a task: the body has not arrived completely."""
        self._inline_body = None
        if not self.transport.is_closing():
            self._pass_on()
            super().on_body(body)

    def _pass_on(self) -> None:
        """Pass a head to uvicorn, which has not seen it yet."""
        if self._inline is not None:
            url, headers, expect = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expect
            self.headers += headers  # in the scope, too
        self.scope[request_id.SCOPE] = self._request_id  # type: ignore[literal-required]
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # One at a time: later ones wait in the pipeline.
        self._answering = cycle
        cycle.scope["extensions"] = self._extensions
        super()._start_asgi_task(cycle, app)

    def _write(self, prebuilt: PrebuiltResponse) -> bool:
        return response.write(self._answering, prebuilt)

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _is_idle(self) -> bool:
        """Tell whether no request is under way: empty lines do not keep a connection open."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def _watch(self) -> None:
        if self._slow is None:
            self._asked = False
            self._slow = self.loop.call_later(self.head_seconds, self._late)

    def _unwatch(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _late(self) -> None:
        self._slow = None
        seconds = f"{self.head_seconds:g} seconds"
        if self.flow.read_paused or self._asked:
            # The service itself is not reading, or this began after a complete request.
            self._watch()
        elif self.timeout_keep_alive_task is not None:
            # Idle since its last answer: uvicorn's own timer ends it.
            pass
        elif not self._in_message:
            _REFUSED["silent"].inc()
            self.transport.close()
        elif self._in_head:
            self._refuse(408, "head_too_slow", f"the head did not arrive within {seconds}")
        elif self._body_bytes >= BODY_BYTES_PER_TICK and not self._is_idle():
            self._body_bytes = 0
            self._watch()
        else:
            _REFUSED["body_too_slow"].inc()
            self.transport.close()

    def _give_up(self) -> None:
        _REFUSED["answer_unread"].inc()
        self.transport.abort()

    def _refuse(self, status: int, reason: str, message: str) -> None:
        _REFUSED[reason].inc()
        body = msgspec.json.encode({"errors": {"request": [message]}})
        if self._is_idle():  # otherwise it would land in the middle of another answer
            self.transport.write(
                b"%bcontent-type: application/json\r\ncontent-length: %d\r\n"
                b"connection: close\r\n\r\n%b" % (STATUS_LINE[status], len(body), body)
            )
        self._unwatch()
        self.transport.close()


class _DropNoise(logging.Filter):
    """Drops repeated log lines, and those that clients can cause at will, which a metric counts."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(_NOISE)


def limited_protocol(proxies: Sequence[Network]) -> type[LimitedHttp]:
    """Return the protocol for uvicorn's option `http`, with limits that fit this process.

    proxies  networks of the trusted proxies

    Raises the soft limit of file descriptors to the hard one: a connection takes one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    files = hard if hard != resource.RLIM_INFINITY else 1 << 20
    LimitedHttp.max_connections = max(files - SPARE_FILES, files // 2)
    LimitedHttp.proxies = Addresses(proxies)
    logging.getLogger("uvicorn.error").addFilter(_DropNoise())
    return LimitedHttp
