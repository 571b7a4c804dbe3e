"""Ingest as an ASGI application: reads requests, hands hits to the intake, answers."""

import asyncio
import logging
import time
from collections.abc import Sequence

from msgspec import Raw
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.http import server
from services.http.edge import ABOUT_THE_PROCESS
from services.http.health import nothing_to_note, readiness
from services.http.request_metrics import UNKNOWN, expect, observe
from services.http.response import Header
from services.http.traced import Traced
from services.ingest import event, http, metrics, sent
from services.ingest.checks import RefusedError
from services.ingest.commit import UnavailableError
from services.ingest.drops import DropReason
from services.ingest.event_request import (
    Client,
    EventRequest,
    authorization_of,
    event_request,
)
from services.ingest.http import IngestResponse, Receive, Scope, Send
from services.ingest.intake import Intake
from services.ingest.senders import UnknownSenderError
from services.ingest.settings import IngestSettings
from services.metrics import announce
from services.runtime import gc_tuning, request_id, tracing
from services.runtime.clock import Clock, system_clock

PATHS = frozenset({"/e", "/api/event", "/hit.gif"})
"""Where hits are sent; everything else on ingest's own port is about the process."""

_log = logging.getLogger(__name__)

_SHUTDOWN_SECONDS = 15


class Ingest:
    """The application. `start` and `stop` are called by its lifespan, or by an embedding program.

    That program passes it the requests for PATHS, with the real peer in the scope.
    """

    inline_targets = frozenset({b"/e", b"/api/event"})

    def __init__(self, settings: IngestSettings, *, clock: Clock = system_clock) -> None:
        """Prepare. Raises SettingsError when the country database cannot be used."""
        self._intake = Intake(settings, clock)
        self._clock = clock
        self.refusal: RefusedError | None = None
        """Why the start was refused."""

    async def start(self) -> None:
        """Begin to take hits. Raises RefusedError when this Redis must not hold the log."""
        announce("ingest")
        for path in self.inline_targets:
            expect(path.decode(), "POST", 202, 503)
        expect("/hit.gif", "GET", 200, 503)
        await self._intake.start()

    async def stop(self) -> None:
        """Finish what was accepted."""
        await self._intake.stop()

    async def maintain(self) -> None:
        """Check Redis now (for new sites, or whether it is back) instead of within two seconds."""
        await self._intake.maintain()

    async def healthy(self) -> str | None:
        """Return why this process must be restarted, or None."""
        return self._intake.healthy()

    async def ready(self) -> str | None:
        """Return why hits cannot be taken durably now, or None."""
        return self._intake.ready()

    def notes(self) -> list[str]:
        """Return what an operator should know although hits are taken."""
        return self._intake.notes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        started = time.perf_counter()
        try:
            answer = await self._answer(scope, receive)
        except Exception:
            # For the line that the server logs about it.
            request_id.use(scope.get(request_id.SCOPE))
            raise
        if answer is not None:
            await answer.send(scope, send)
            path = scope["path"]
            if path not in ABOUT_THE_PROCESS:
                route = path if path in PATHS else UNKNOWN
                observe(route, scope["method"], answer.status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive) -> IngestResponse | None:
        """Return the answer to a request, or None when the client went away."""
        path, method = scope["path"], scope["method"]
        if path not in PATHS:
            return await self._own(path, method)
        if method == "OPTIONS":
            return http.PREFLIGHT
        if path == "/hit.gif":
            if method == "GET":
                return await self._image(scope)
            if method == "HEAD":
                # Link checkers send these, often without a referrer: no hit, so nothing to refuse.
                return http.GIF
            return http.wrong_method(method, "GET", "HEAD", "OPTIONS")
        if method == "POST":
            return await self._posted(scope, receive)
        return http.wrong_method(method, "POST", "OPTIONS")

    async def answer_inline(
        self, path: str, headers: Sequence[Header], body: bytes, client: Client
    ) -> IngestResponse:
        """Answer an event that has arrived whole; see services/http/inline.py."""
        started = time.perf_counter()
        if len(body) <= http.MAX_BODY or len(body) <= self._limit(headers):
            answer = await self._event(body, headers, client)
        else:
            answer = self._too_large(headers)
        observe(path, "POST", answer.status, time.perf_counter() - started)
        return answer

    async def _posted(self, scope: Scope, receive: Receive) -> IngestResponse | None:
        """Return the answer to an event, however slowly it arrives."""
        headers = scope["headers"]
        announced = next((value for name, value in headers if name == b"content-length"), None)
        try:
            body = await http.read_body(receive, announced, self._limit(headers))
        except http.TooLargeError:
            return self._too_large(headers)
        except TimeoutError:
            metrics.UNREADABLE.inc()
            return http.TOO_SLOW
        return None if body is None else await self._event(body, headers, scope.get("client"))

    def _limit(self, headers: Sequence[Header]) -> int:
        """Return how many bytes a body may have; more for requests with a token."""
        try:
            token = self._intake.senders.of(authorization_of(headers))
        except (UnknownSenderError, UnavailableError):
            token = None
        return http.MAX_BODY if token is None else http.MAX_SENT_BODY

    def _too_large(self, headers: Sequence[Header]) -> IngestResponse:
        metrics.UNREADABLE.inc()
        try:
            token = self._intake.senders.of(authorization_of(headers))
        except UnknownSenderError as error:
            return http.unknown_sender(str(error))
        except UnavailableError as error:
            return http.unavailable(str(error))
        return http.TOO_LARGE if token is None else http.SENT_TOO_LARGE

    async def _event(
        self, body: bytes, headers: Sequence[Header], client: Client
    ) -> IngestResponse:
        try:
            request = event_request(headers, client)
            if b"authorization" in request.headers:
                token = self._intake.senders.of(authorization_of(headers))
                request = request._replace(token=token)
            if request.token is not None and sent.is_array(body):
                return await self._array(body, request)
            reason = await self._take(body, request)
        except event.EventError as error:
            metrics.UNREADABLE.inc()
            return http.errors(400, error.errors)
        except UnknownSenderError as error:
            metrics.UNREADABLE.inc()
            return http.unknown_sender(str(error))
        except UnavailableError as error:
            return http.unavailable(str(error))
        return http.OK if reason is None else http.OK_DROPPED[reason]

    async def _take(self, body: bytes | Raw, request: EventRequest) -> DropReason | None:
        """Take one event as it was sent; see Intake.take."""
        now = self._clock()
        if request.token is None:
            return await self._intake.take(request.draft(event.from_body(bytes(body)), now))
        one = sent.read_one(body, now)
        draft = request.draft(one.event, now if one.at is None else one.at)
        draft.headers = sent.headers_of(one, request.headers)
        draft.address = one.address
        return await self._intake.take(draft)

    async def _array(self, body: bytes, request: EventRequest) -> IngestResponse:
        """Take the events of an array; each has a result of its own. Raises EventError."""
        events = sent.read_array(body)
        results = await asyncio.gather(*(self._result(one, request) for one in events))
        return sent.answer(results)

    async def _result(self, body: Raw, request: EventRequest) -> sent.Result:
        try:
            reason = await self._take(body, request)
        except event.EventError as error:
            metrics.UNREADABLE.inc()
            return sent.Result("invalid", errors=error.errors)
        except UnavailableError:
            return sent.Result("unavailable")
        return sent.Result("accepted") if reason is None else sent.Result("dropped", reason)

    async def _image(self, scope: Scope) -> IngestResponse:
        headers = scope["headers"]
        query: bytes = scope["query_string"]
        if len(query) > http.MAX_BODY:
            metrics.UNREADABLE.inc()
            return http.GIF_TOO_LARGE
        referer = dict(headers).get(b"referer", b"").decode(errors="replace")
        try:
            received = event.from_query(query, referer)
            request = event_request(headers, scope.get("client"))
            reason = await self._intake.take(request.draft(received, self._clock(), image=True))
        except event.EventError:
            metrics.UNREADABLE.inc()
            return http.GIF_UNREADABLE
        except UnavailableError:
            return http.GIF_UNAVAILABLE
        return http.GIF if reason is None else http.GIF_DROPPED[reason]

    async def _own(self, path: str, method: str) -> IngestResponse:
        """Answer a request about the process itself."""
        if path not in ABOUT_THE_PROCESS:
            return http.NOT_FOUND
        if method not in ("GET", "HEAD"):
            return http.wrong_method(method, "GET", "HEAD")
        if path == "/metrics":
            return IngestResponse(200, generate_latest(), CONTENT_TYPE_LATEST.encode())
        if path == "/healthz":
            reason, notes = await self.healthy(), nothing_to_note()
        else:
            reason, notes = await self.ready(), self.notes()
        return http.json(200 if reason is None else 503, readiness(reason, notes))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except RefusedError as error:
            self.refusal = error
            await send({"type": "lifespan.startup.failed", "message": ""})
            return
        gc_tuning.tune()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def run(settings: IngestSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first.

    Raises SystemExit with a message when the start is refused or the port is taken.
    """
    ingest = Ingest(settings)
    # Spans need a task per request, so none is answered inline.
    app = ingest if tracing.tracer is None else Traced(ingest, PATHS)
    try:
        server.run(
            server.config(
                app,
                host=settings.host,
                port=settings.listen_port,
                log_level=settings.log_level,
                shutdown_seconds=_SHUTDOWN_SECONDS,
                proxies=settings.trusted_proxies,
            )
        )
    except SystemExit:
        if ingest.refusal is None:
            raise
        _log.critical("ingest cannot run: %s", ingest.refusal)
        raise SystemExit(1) from None
