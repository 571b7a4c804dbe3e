"""`luot aggregator`: one process with the aggregator, its health and its metrics."""

import asyncio
import contextlib
import logging
import os
import signal
import threading

import uvloop
from starlette.applications import Starlette

from services.aggregator.app import Aggregator
from services.aggregator.folding import choose
from services.aggregator.kernel.library import KernelError
from services.aggregator.record import open_of_record
from services.aggregator.settings import AggregatorSettings
from services.http import health, server
from services.http.request_metrics import RequestMetrics
from services.log.open import log_of
from services.runtime import gc_tuning, malloc_tuning
from services.runtime.outage import Outage
from services.settings import SettingsError
from services.store.interface import Store, StoreUnavailableError
from services.store.migrations import fix_partitions, migrate

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
STOP_LIMIT_SECONDS = 20.0
YOUNG_OBJECTS = 100_000
"""About so many lists and dicts wait for a flush. With default thresholds, Python's garbage
collector takes a third of an aggregator's time to scan them, and finds nothing."""


def run(settings: AggregatorSettings) -> None:
    """Run until SIGTERM or SIGINT; raises the error that ended it otherwise."""
    _check_fold(settings)
    malloc_tuning.tune()
    gc_tuning.tune(YOUNG_OBJECTS)
    uvloop.run(_run(settings))


async def _run(settings: AggregatorSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, _stop_soon, stop)
    state = _State()
    http_server = server.BackgroundServer(
        server.config(
            RequestMetrics(Starlette(routes=health.routes(state.ready))),
            host=settings.host,
            port=settings.listen_port,
            log_level=settings.log_level,
            lifespan="off",
            shutdown_seconds=1,
            proxies=(),
        )
    )
    work = asyncio.create_task(_work(settings, state, stop))
    answering = asyncio.create_task(http_server.serve())
    await asyncio.wait([work, answering], return_when=asyncio.FIRST_COMPLETED)
    http_server.should_exit = True
    stop.set()
    await asyncio.gather(answering, return_exceptions=True)
    await work


def _check_fold(settings: AggregatorSettings) -> None:
    try:
        choose(settings.fold)
    except KernelError as error:
        raise SettingsError(f"LUOT_FOLD is c, which cannot be had: {error}") from error


def _stop_soon(stop: asyncio.Event) -> None:
    """Stop gracefully; if something hangs, kill the process, which loses nothing."""
    stop.set()
    last_resort = threading.Timer(STOP_LIMIT_SECONDS, _end)
    last_resort.daemon = True
    last_resort.start()


def _end() -> None:
    log.error("not stopped after %.0f s; ended", STOP_LIMIT_SECONDS)
    logging.shutdown()
    os._exit(1)


class _State:
    """Whether hits are being counted, for the health check."""

    def __init__(self) -> None:
        self.problem: str | None = "starting"
        self.aggregator: Aggregator | None = None

    async def ready(self) -> str | None:
        return await self.aggregator.ready() if self.aggregator else self.problem


async def _work(settings: AggregatorSettings, state: _State, stop: asyncio.Event) -> None:
    """Aggregate until stopped; raise the error that ends it otherwise."""
    async with contextlib.AsyncExitStack() as opened:
        await _aggregate(opened, settings, state, stop)


async def _aggregate(
    opened: contextlib.AsyncExitStack,
    settings: AggregatorSettings,
    state: _State,
    stop: asyncio.Event,
) -> None:
    hits = log_of(settings)
    opened.push_async_callback(hits.close)
    url = settings.clickhouse_url.get_secret_value()
    store, watermarks = open_of_record(url, hits.positions, settings.partitions)
    opened.push_async_callback(store.close)
    if await _prepared(store, settings, state, stop):
        aggregator = state.aggregator = Aggregator(settings, store, watermarks=watermarks)
        try:
            await aggregator.start()
            stopping = asyncio.create_task(stop.wait())
            failed = asyncio.create_task(aggregator.failed())
            await asyncio.wait([stopping, failed], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if failed.done():
                failed.result()
            failed.cancel()
        finally:
            await aggregator.stop()


async def _prepared(
    store: Store, settings: AggregatorSettings, state: _State, stop: asyncio.Event
) -> bool:
    """Migrate the schema, waiting for an unavailable store; False when stopped while waiting."""
    outage = Outage(log, "waiting for the store", "the store is available")
    while not stop.is_set():
        try:
            await migrate(store)
            await fix_partitions(store, settings.partitions)
            await store.fix_shards()
        except StoreUnavailableError as error:
            state.problem = f"the store is unavailable: {error}"
            outage.begins(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_SECONDS)
        else:
            outage.ends()
            return True
    return False
