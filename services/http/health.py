"""Liveness, readiness and metrics of a service."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_NO_STORE = {"Cache-Control": "no-store"}


def routes(problem: Callable[[], Awaitable[str | None]]) -> list[BaseRoute]:
    """Return /healthz, /readyz and /metrics; `problem` returns why it is not ready."""

    async def healthz(_: Request) -> Response:
        return _json({"status": "ok"}, HTTPStatus.OK)

    async def readyz(_: Request) -> Response:
        reason = await problem()
        if reason is None:
            return _json({"status": "ok"}, HTTPStatus.OK)
        return _json({"status": "unavailable", "reason": reason}, HTTPStatus.SERVICE_UNAVAILABLE)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def _json(body: dict[str, str], status: HTTPStatus) -> Response:
    return Response(msgspec.json.encode(body), status, _NO_STORE, "application/json")
