"""Memory of each process, idle and at load, and how long `luot up` takes to be ready."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import httpx
import msgspec

from benchmarks import aggregator, api, backlog, portals, wrk
from benchmarks.history import History
from benchmarks.ingest import request
from benchmarks.measure import Result, exact
from benchmarks.processes import cpu_seconds, memory, tree
from benchmarks.stack import publish, stack, stores
from tests.servers.services import Service
from tests.servers.up import Up

HOT_ROWS = 200_000
PAGES = 60_000
"""Each is four rows: of its day, month, year and in all."""
HITS = 240_000
STARTS = 5
SETTLE_SECONDS = 3.0
CONNECTIONS = 64


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure resident memory, and with what is shared among processes counted once (PSS)."""
    yield from _up(1 if quick else STARTS)
    yield from _ingest(2 if quick else 10)
    yield from _api(2 if quick else 10)
    yield from _aggregator()


def _up(starts: int) -> Iterator[Result]:
    seconds, cpu = [], []
    with tempfile.TemporaryDirectory(prefix="luot-benchmark-") as folder:
        Up(Path(folder) / "data").end()  # an installation that was used before
        for number in range(starts):
            started = time.perf_counter()
            up = Up(Path(folder) / "data")
            seconds.append(time.perf_counter() - started)
            pids = tree(up.process.pid)
            cpu.append(cpu_seconds(*pids))
            if number == starts - 1:
                time.sleep(SETTLE_SECONDS)
                used = [memory(pid) for pid in pids]
                yield exact("luot up, idle", sum(one.resident for one in used) / 1e6, "MB")
                yield exact("luot up, idle, PSS", sum(one.proportional for one in used) / 1e6, "MB")
            up.end()
    yield _summary("luot up ready", seconds)
    yield _summary("luot up ready: processor time", cpu)


def _summary(what: str, values: list[float]) -> Result:
    return Result(
        what=what,
        value=median(values),
        unit="s",
        low=min(values),
        high=max(values),
        runs=len(values),
    )


def _ingest(seconds: int) -> Iterator[Result]:
    requests = [request(view) for view in portals.views(20_000)]
    with stack() as running:
        redis = running.redis()
        publish(redis, portals.sites())
        ingest = running.service("ingest", LUOT_REDIS_URL=redis.url)
        yield from _idle(ingest)
        wrk.load(ingest.port, requests, seconds=seconds, connections=CONNECTIONS)
        yield from _used(ingest, "after load")


def _api(seconds: int) -> Iterator[Result]:
    history = History(sites=1000, days=365)
    with stack() as running:
        service, _ = api.start(running, stores()[0], history)
        yield from _idle(service)
        requests = api.popular(history.sites)
        wrk.load(service.port, requests, seconds=seconds, connections=CONNECTIONS)
        yield from _used(service, "after load")


def _aggregator() -> Iterator[Result]:
    views = [
        msgspec.structs.replace(view, path=f"/tin-tuc/bai-viet-so-{number % PAGES}.html")
        for number, view in enumerate(portals.views(backlog.DISTINCT))
    ]
    with stack() as running:
        redis = running.redis()
        url, _ = running.store(stores()[0])
        service = aggregator.start(running, redis, url)
        yield from _idle(service)
        asyncio.run(backlog.append(redis.url, HITS, aggregator.ORDINARY, views))
        end = asyncio.run(backlog.ends(redis.url))
        aggregator.wait_until(lambda: aggregator.is_committed(redis, end))
        rows = _gauge(service, "luot_hot_rows")
        if rows < 0.9 * HOT_ROWS:
            raise RuntimeError(f"{rows:.0f} hot rows, expected about {HOT_ROWS}")
        yield from _used(service, f"{HOT_ROWS} hot rows")


def _idle(service: Service) -> Iterator[Result]:
    time.sleep(SETTLE_SECONDS)
    yield from _used(service, "idle")


def _used(service: Service, when: str) -> Iterator[Result]:
    used = memory(service.pid)
    yield exact(f"{service.name}, {when}", used.resident / 1e6, "MB")
    yield exact(f"{service.name}, {when}, PSS", used.proportional / 1e6, "MB")


def _gauge(service: Service, name: str) -> float:
    lines = httpx.get(f"{service.url}/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))
