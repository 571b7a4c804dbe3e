"""One port for everything: routes each request by path to the part that answers it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.http.client_address import Addresses, parse
from services.http.edge import ABOUT_THE_PROCESS, Edge
from services.http.errors import ApiError
from services.http.health import readiness
from services.http.traced import Traced
from services.ingest.app import PATHS, Ingest
from services.runtime import tracing
from services.standalone.demo import ROOT
from services.standalone.demo_app import DemoApp
from services.standalone.settings import UpSettings

HEALTH = "/healthz"
READY = "/readyz"
_NOTHING = ApiError(HTTPStatus.NOT_FOUND, {"request": "there is nothing at this address"})

Ready = Callable[[], Awaitable[str | None]]
Notes = Callable[[], Sequence[str]]


class Dispatch:
    """The ASGI application of `luot up`."""

    def __init__(
        self,
        ingest: Ingest,
        api: ASGIApp,
        ready: Mapping[str, Ready],
        notes: Mapping[str, Notes],
        settings: UpSettings,
    ) -> None:
        """`ready` asks each part why it cannot do its work; None means it can.

        `notes` asks each part what an operator should know even if it can.
        """
        self._addresses = Addresses(settings.trusted_proxies)
        self._is_open = settings.open_metrics
        self._ingest: ASGIApp = ingest if tracing.tracer is None else Traced(ingest, PATHS)
        self._api = api
        self._ready = ready
        self._notes = notes
        self._demo = Edge(DemoApp(), settings.public_url, settings.public_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        path: str = scope.get("path", "")
        if path in ABOUT_THE_PROCESS and not self._is_open and not self._is_local(scope):
            await _NOTHING.response()(scope, receive, send)
        elif path in PATHS or path == HEALTH:
            await self._ingest(scope, receive, send)
        elif path == READY:
            response = await self._readiness()
            await response(scope, receive, send)
        elif path in ("/", ROOT) or path.startswith(ROOT + "/"):
            await self._demo(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    def _is_local(self, scope: Scope) -> bool:
        """Return whether a request comes from this machine, and not through a proxy on it."""
        client = scope.get("client")
        forwarded = b",".join(
            value for name, value in scope["headers"] if name == b"x-forwarded-for"
        )
        address = self._addresses.client(client[0] if client else "", forwarded.decode("latin-1"))
        known = parse(address)
        return not address if known is None else known.is_loopback

    async def _readiness(self) -> Response:
        reasons = {
            name: reason
            for name, problem in self._ready.items()
            if (reason := await problem()) is not None
        }
        reason = "; ".join(f"{name}: {reason}" for name, reason in reasons.items()) or None
        notes = [f"{name}: {note}" for name, said in self._notes.items() for note in said()]
        return Response(
            msgspec.json.encode(readiness(reason, notes)),
            HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK,
            {"Cache-Control": "no-store"},
            "application/json",
        )
