"""`luot probe`: a process that probes periodically, with health checks and metrics."""

import asyncio
import logging
import signal
import time

import uvloop
from starlette.applications import Starlette

from services.http import health, server
from services.metrics import announce
from services.probe import metrics
from services.probe.outcome import Outcome, ProbeResult
from services.probe.probe import Probe

log = logging.getLogger(__name__)


def run(probe: Probe, every: float, *, host: str, port: int, log_level: str) -> None:
    """Probe until SIGTERM or SIGINT."""
    # It logs each request, several per second.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvloop.run(_run(probe, every, host, port, log_level))


async def _run(probe: Probe, every: float, host: str, port: int, log_level: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    announce("probe")
    http_server = server.BackgroundServer(
        server.config(
            Starlette(routes=health.routes(_no_problem)),
            host=host,
            port=port,
            log_level=log_level,
            lifespan="off",
            shutdown_seconds=1,
            proxies=(),
        )
    )
    answering = asyncio.create_task(http_server.serve())
    probing = asyncio.create_task(_probe_forever(probe, every))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([answering, probing, stopping], return_when=asyncio.FIRST_COMPLETED)
    http_server.should_exit = True
    for task in (probing, stopping):
        task.cancel()
    await asyncio.gather(probing, stopping, return_exceptions=True)
    await answering


async def _no_problem() -> str | None:
    """Report no problem: the probe works whatever Luot does, and metrics show what it found."""
    return None


async def _probe_forever(probe: Probe, every: float) -> None:
    last: Outcome | None = None
    while True:
        started = time.monotonic()
        result = await probe.once()
        note(result, time.time())
        if result.outcome is not last:
            level = logging.INFO if result.outcome is Outcome.OK else logging.WARNING
            log.log(level, "%s: %s", result.outcome, result.said)
        last = result.outcome
        await asyncio.sleep(max(0.0, started + every - time.monotonic()))


def note(result: ProbeResult, now: float) -> None:
    """Record a result in the metrics."""
    metrics.PROBES[result.outcome].inc()
    if result.seconds is not None:
        metrics.SECONDS.set(result.seconds)
        metrics.LAST_SUCCESS.set(now)
