"""Liveness, readiness and metrics of a service."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_NO_STORE = {"Cache-Control": "no-store"}


def nothing_to_note() -> list[str]:
    """Return no notes."""
    return []


def routes(
    problem: Callable[[], Awaitable[str | None]],
    notes: Callable[[], Sequence[str]] = nothing_to_note,
) -> list[BaseRoute]:
    """Return /healthz, /readyz and /metrics.

    `problem` returns why it is not ready, `notes` what an operator should know even so. Both report
    what is known already: a readiness check does not wait for other services.
    """

    async def healthz(_: Request) -> Response:
        return _json({"status": "ok"}, HTTPStatus.OK)

    async def readyz(_: Request) -> Response:
        reason = await problem()
        status = HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE
        return _json(readiness(reason, notes()), status)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def readiness(reason: str | None, notes: Sequence[str]) -> dict[str, object]:
    """Return the body of /readyz; `reason` is why the service is not ready, None when it is."""
    body: dict[str, object] = {"status": "ok"}
    if reason is not None:
        body = {"status": "unavailable", "reason": reason}
    return body | {"notes": list(notes)} if notes else body


def _json(body: dict[str, object], status: HTTPStatus) -> Response:
    return Response(msgspec.json.encode(body), status, _NO_STORE, "application/json")
