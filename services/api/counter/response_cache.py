"""Answers that are ready to be sent, as long as the numbers in them are fresh.

Most requests of a busy portal differ in nothing. Their answer is found by the address as it came,
before any routing, and sent as it was sent before.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.counter.pages import PageKey
from services.api.counter.reader import Wanted
from services.api.metrics import COUNTER_CACHE, REQUEST_SECONDS
from services.http import etag
from services.model.site import Site

MAX_ANSWERS = 10_000
MAX_BYTES = 16 << 20
_BYTES_A_MESSAGE = 1000

_FRESH = COUNTER_CACHE.labels("fresh")


class Parts(NamedTuple):
    """What an answer was made of, and until when (of the clock) all of it is fresh."""

    site: Site
    wanted: Wanted
    pages: tuple[PageKey, ...]
    until: float


class Ready:
    """One answer, as messages of ASGI: the whole, and the 304 for who holds it."""

    __slots__ = ("asked", "body", "etag", "parts", "route", "size", "start", "tag", "unchanged")

    def __init__(self, parts: Parts, tag: str, whole: Response, unchanged: Response, route: str):
        self.parts = parts
        self.tag = tag
        self.etag = tag.encode("latin-1")
        self.route = route
        self.start = _start(whole)
        self.body: Message = {"type": "http.response.body", "body": bytes(whole.body)}
        self.unchanged = _start(unchanged)
        self.size = len(whole.body) + 2 * _BYTES_A_MESSAGE
        self.asked = False
        """Whether somebody has asked for it again."""


class ReadyAnswers:
    """Keeps answers by path and query, until they end; not more than a bounded number."""

    def __init__(
        self,
        site: Callable[[str], Site | None],
        clock: Callable[[], float] = time.monotonic,
        limits: tuple[int, int] = (MAX_ANSWERS, MAX_BYTES),
        grace: float = 0.0,
        renewed: Callable[[Parts], bool] = lambda _: False,
    ) -> None:
        """`site` returns the site of a slug as it is now; `limits` are answers and bytes.

        While its parts are `renewed`, an answer is good for `grace` seconds more.
        """
        self._site = site
        self._clock = clock
        self._grace = grace
        self._renewed = renewed
        self._most, self._most_bytes = limits
        self._answers: dict[tuple[str, bytes], Ready] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._answers)

    def find(self, path: str, query: bytes) -> Ready | None:
        """Return the answer of an address, if it is fresh and its site is as it was."""
        ready = self._answers.get((path, query))
        if ready is None:
            return None
        late = self._clock() - ready.parts.until
        if late >= 0 and (late >= self._grace or not self._renewed(ready.parts)):
            return None
        if self._site(ready.parts.site.slug) is not ready.parts.site:
            return None
        ready.asked = True
        return ready

    def respond(
        self,
        request: Request,
        body: bytes,
        tag: str,
        headers: Mapping[str, str],
        media_type: str,
        parts: Parts | None,
    ) -> Response:
        """Return the answer to a request; keep it where its parts are fresh."""
        if parts is not None and request.method == "GET":
            whole = etag.answer(body, tag, headers, media_type)
            ready = Ready(parts, tag, whole, etag.unchanged(tag, headers), _route(request))
            self._keep((request.scope["path"], request.scope["query_string"]), ready)
        return etag.respond(request, body, tag, headers, media_type)

    def ending(self, seconds: float) -> Iterator[Parts]:
        """Drop what has ended; return what ends within a time and was asked for again."""
        now = self._clock()
        for address, ready in list(self._answers.items()):
            if ready.parts.until + self._grace <= now:
                self._drop(address)
            if ready.asked and ready.parts.until <= now + seconds:
                yield ready.parts

    def _keep(self, address: tuple[str, bytes], ready: Ready) -> None:
        self._drop(address)
        ready.size += len(address[0]) + len(address[1])
        if len(self._answers) >= self._most or self._bytes + ready.size > self._most_bytes:
            return  # the next sweep makes room
        self._answers[address] = ready
        self._bytes += ready.size

    def _drop(self, address: tuple[str, bytes]) -> None:
        held = self._answers.pop(address, None)
        if held is not None:
            self._bytes -= held.size


class Front:
    """Sends what is ready, and passes every other request on. A plain ASGI wrapper."""

    def __init__(self, app: ASGIApp, answers: Callable[[], ReadyAnswers | None]) -> None:
        """`answers` is asked for with every request."""
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answers = self._answers()
        if answers is None or scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        ready = answers.find(scope["path"], scope["query_string"])
        if ready is None:
            await self._app(scope, receive, send)
            return
        if _holds(scope["headers"], ready):
            await send(ready.unchanged)
            await send(_NOTHING)
            code = "304"
        else:
            await send(ready.start)
            await send(ready.body)
            code = "200"
        _FRESH.inc()
        REQUEST_SECONDS.labels(ready.route, "GET", code).observe(time.perf_counter() - started)


_NOTHING: Message = {"type": "http.response.body", "body": b""}


def _holds(headers: Iterable[tuple[bytes, bytes]], ready: Ready) -> bool:
    for name, value in headers:
        if name == b"if-none-match":
            return value == ready.etag or etag.matches(value.decode("latin-1"), ready.tag)
    return False


def _start(response: Response) -> Message:
    return {
        "type": "http.response.start",
        "status": response.status_code,
        "headers": response.raw_headers,
    }


def _route(request: Request) -> str:
    return str(getattr(request.scope.get("endpoint"), "__name__", "other"))
