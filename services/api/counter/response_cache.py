"""The response cache: whole responses, ready to be sent while the numbers in them are fresh.

Most requests of a busy portal are identical. Their response is looked up by raw path and query,
before any routing, and sent again as it is.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import NamedTuple, Self

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.counter.body import OnlineNow
from services.api.counter.changes import SiteChanges
from services.api.counter.pages import PageKey
from services.api.counter.reader import CounterKey
from services.api.metrics import FRESH
from services.http import compression, etag
from services.http.request_metrics import observe, route_of
from services.model.site import Site
from services.runtime import request_id
from services.runtime.bounded import BoundedMap, size_of

MAX_BYTES = 16 << 20
_BYTES_A_RESPONSE = 4000
"""What it takes besides its body, its URL and the names of its pages."""
_BYTES_A_FORM = 1000
"""What the headers of a compressed form take."""
_BYTES_A_PAGE = 100


class Inputs(NamedTuple):
    """The cached values that a response was made of, and when, by the clock, the first expires.

    began    when the first of them began to be read
    made_at  when the response was made
    changes  of the site, which may make it expire sooner
    online   who was online
    """

    site: Site
    counter: CounterKey
    pages: tuple[PageKey, ...]
    expires_at: float
    began: float = inf
    made_at: float = inf
    changes: SiteChanges | None = None
    online: OnlineNow | None = None

    @property
    def ends_at(self) -> float:
        """When it stops being fresh."""
        changes = self.changes
        if changes is not None and self.began < changes.at < self.expires_at:
            return changes.at
        return self.expires_at


class Forms(NamedTuple):
    """The forms of a response: in full, compressed if that is worth it, and the 304."""

    whole: Response
    packed: Response | None
    unchanged: Response

    @classmethod
    def of(cls, body: bytes, tag: str, headers: Mapping[str, str], media_type: str) -> Self:
        """Build them from a body; `tag` is weak, and identifies it in either form."""
        packed = None
        if len(body) >= compression.MIN_BYTES:
            headers = {**headers, **compression.VARIES}
            packed = etag.answer(
                compression.compressed(body), tag, {**headers, **compression.GZIP}, media_type
            )
        return cls(
            etag.answer(body, tag, headers, media_type), packed, etag.unchanged(tag, headers)
        )

    def best(self, request: Request, tag: str) -> Response:
        """Return the one to send."""
        if etag.matches(request.headers.get("if-none-match"), tag):
            return self.unchanged
        accepted = request.headers.get("accept-encoding", "")
        if self.packed is not None and compression.accepts_gzip(accepted):
            return self.packed
        return self.whole


class CachedResponse:
    """One response as ASGI messages: in full, compressed if it is long, and the 304."""

    __slots__ = (
        "body",
        "etag",
        "inputs",
        "packed",
        "requested",
        "route",
        "size",
        "start",
        "tag",
        "unchanged",
    )

    def __init__(self, inputs: Inputs, tag: str, forms: Forms, route: str) -> None:
        whole, packed, unchanged = forms
        self.inputs = inputs
        self.tag = tag
        self.etag = tag.encode("latin-1")
        self.route = route
        self.start = _start(whole)
        self.body = _body(whole)
        self.packed = None if packed is None else (_start(packed), _body(packed))
        self.unchanged = _start(unchanged)
        names = [path for _, path in inputs.pages]
        length = len(whole.body) + (0 if packed is None else len(packed.body) + _BYTES_A_FORM)
        self.size = length + _BYTES_A_RESPONSE + _BYTES_A_PAGE * len(names) + size_of(*names)
        self.requested = False
        """Whether it was requested again."""


class ResponseCache:
    """Caches responses by path and query until they expire, within a limit of bytes.

    The first to expire make room for others.
    """

    def __init__(
        self,
        site: Callable[[str], Site | None],
        clock: Callable[[], float] = time.monotonic,
        max_bytes: int = MAX_BYTES,
        grace: float = 0.0,
        refreshing: Callable[[Inputs], bool] = lambda _: False,
        renewed: Callable[[Inputs], float] = lambda _: -inf,
    ) -> None:
        """`site` returns the current site of a slug.

        While its inputs are `refreshing`, a response is fresh for `grace` seconds more. If it would
        be made of the very same values again, `renewed` returns until when it is fresh.
        """
        self._site = site
        self._clock = clock
        self._grace = grace
        self._refreshing = refreshing
        self._renewed = renewed
        self._responses: BoundedMap[tuple[str, bytes], CachedResponse] = BoundedMap(max_bytes)

    def __len__(self) -> int:
        """Return how many are cached."""
        return len(self._responses)

    def find(self, path: str, query: bytes) -> CachedResponse | None:
        """Return the response for a URL, if it is fresh and its site is unchanged."""
        cached = self._responses.get((path, query))
        if cached is None:
            return None
        late = self._clock() - cached.inputs.ends_at
        if late >= 0 and not self._renew(cached, late):
            return None
        if self._site(cached.inputs.site.slug) is not cached.inputs.site:
            return None
        cached.requested = True
        return cached

    def respond(
        self,
        request: Request,
        body: bytes,
        tag: str,
        headers: Mapping[str, str],
        media_type: str,
        inputs: Inputs | None,
    ) -> Response:
        """Return the response to a request; cache it if there are inputs, which must be fresh."""
        if inputs is not None and request.method == "GET":
            forms = Forms.of(body, tag, headers, media_type)
            cached = CachedResponse(inputs, tag, forms, route_of(request.scope))
            path, query = request.scope["path"], request.scope["query_string"]
            self._responses.put((path, query), cached, cached.size + size_of(path, query))
            return forms.best(request, tag)
        return compression.respond(request, body, tag, headers, media_type)

    def _renew(self, cached: CachedResponse, late: float) -> bool:
        """Tell whether a response that expired `late` seconds ago may be sent even so."""
        until = self._renewed(cached.inputs)
        if until > self._clock():
            cached.inputs = cached.inputs._replace(expires_at=until)
            return True
        return late < self._grace and self._refreshing(cached.inputs)

    def expiring(self, seconds: float) -> Iterator[Inputs]:
        """Drop expired responses; yield the inputs of those requested again that expire soon."""
        now = self._clock()
        for address in list(self._responses):
            cached = self._responses.get(address)
            if cached is None:
                continue
            ends_at = cached.inputs.ends_at
            if ends_at + self._grace <= now:
                self._responses.pop(address)
            if cached.requested and ends_at <= now + seconds:
                yield cached.inputs


class ResponseCacheMiddleware:
    """Sends cached responses, and passes every other request on: plain ASGI."""

    def __init__(self, app: ASGIApp, responses: Callable[[], ResponseCache | None]) -> None:
        """`responses` is called with every request."""
        self._app = app
        self._responses = responses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        responses = self._responses()
        if responses is None or scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        cached = responses.find(scope["path"], scope["query_string"])
        if cached is None:
            await self._app(scope, receive, send)
            return
        if _has(scope["headers"], cached):
            await send(_with_id(scope, cached.unchanged))
            await send(_NOTHING)
            status = 304
        else:
            start, body = cached.start, cached.body
            # Most are short and have one form, so that the request does not matter.
            if cached.packed is not None and _takes_gzip(scope["headers"]):
                start, body = cached.packed
            await send(_with_id(scope, start))
            await send(body)
            status = 200
        FRESH.inc()
        observe(cached.route, "GET", status, time.perf_counter() - started)


_NOTHING: Message = {"type": "http.response.body", "body": b""}


def _with_id(scope: Scope, start: Message) -> Message:
    """Return the head of a response with the request's id, if a proxy gave one."""
    given = scope.get(request_id.SCOPE)
    if given is None:
        return start
    return {**start, "headers": [*start["headers"], (request_id.HEADER, given)]}


def _has(headers: Iterable[tuple[bytes, bytes]], cached: CachedResponse) -> bool:
    """Tell whether the client has this response already."""
    for name, value in headers:
        if name == b"if-none-match":
            return value == cached.etag or etag.matches(value.decode("latin-1"), cached.tag)
    return False


def _takes_gzip(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether the client takes a compressed response."""
    for name, value in headers:
        if name == b"accept-encoding":
            return compression.accepts_gzip(value.decode("latin-1"))
    return False


def _body(response: Response) -> Message:
    return {"type": "http.response.body", "body": bytes(response.body)}


def _start(response: Response) -> Message:
    return {
        "type": "http.response.start",
        "status": response.status_code,
        "headers": response.raw_headers,
    }
