"""One port for everything: routes each request by its path to the part that answers it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.http.health import readiness
from services.ingest.app import PATHS, Ingest
from services.standalone.demo import ROOT
from services.standalone.demo_app import DemoApp

HEALTH = "/healthz"
READY = "/readyz"

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
    ) -> None:
        """`ready` asks each part why it cannot do its work; None means that it can.

        `notes` asks each part what an operator should know all the same.
        """
        self._ingest = ingest
        self._api = api
        self._ready = ready
        self._notes = notes
        self._demo = DemoApp()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        path: str = scope.get("path", "")
        if path in PATHS or path == HEALTH:
            await self._ingest(scope, receive, send)
        elif path == READY:
            response = await self._readiness()
            await response(scope, receive, send)
        elif path in ("/", ROOT) or path.startswith(ROOT + "/"):
            await self._demo(scope, receive, send)
        else:
            await self._api(scope, receive, send)

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
