"""`luot aggregator`: one process with the aggregator, its health and its metrics."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import msgspec
import uvicorn
import uvloop
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.aggregator.app import Aggregator
from services.aggregator.settings import AggregatorSettings
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store

log = logging.getLogger(__name__)


def run(settings: AggregatorSettings) -> None:
    """Run until SIGTERM or SIGINT; raises what made it impossible to go on."""
    uvloop.run(_run(settings))


async def _run(settings: AggregatorSettings) -> None:
    store = open_store(settings.clickhouse_url.get_secret_value())
    try:
        await migrate(store)
        await fix_partitions(store, settings.partitions)
        aggregator = Aggregator(settings, store)
        await aggregator.start()
        try:
            await _serve(aggregator, settings)
        finally:
            await aggregator.stop()
    finally:
        await store.close()


async def _serve(aggregator: Aggregator, settings: AggregatorSettings) -> None:
    """Answer health checks until asked to stop; raise when the aggregator cannot go on."""
    server = _Server(
        uvicorn.Config(
            _health(aggregator.ready),
            host=settings.host,
            port=settings.listen_port,
            log_level=settings.log_level,
            access_log=False,
            lifespan="off",
        )
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    serving = asyncio.create_task(server.serve())
    waits = [asyncio.create_task(stop.wait()), asyncio.create_task(aggregator.failed()), serving]
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    for task in waits[:2]:
        task.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    for task in done:
        task.result()


class _Server(uvicorn.Server):
    """Leaves the signals to us: the aggregator has to stop before its process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _health(ready: Callable[[], Awaitable[str | None]]) -> Starlette:
    async def healthz(_: Request) -> Response:
        return _json(HTTPStatus.OK, {"status": "ok"})

    async def readyz(_: Request) -> Response:
        reason = await ready()
        if reason is None:
            return _json(HTTPStatus.OK, {"status": "ok"})
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "unavailable", "reason": reason})

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    )


def _json(status: HTTPStatus, body: dict[str, str]) -> Response:
    return Response(
        msgspec.json.encode(body), status, {"Cache-Control": "no-store"}, "application/json"
    )
