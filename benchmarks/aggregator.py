"""The aggregator: from the stream to committed rows, on one core, into both kinds of store."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import msgspec

from benchmarks import backlog, portals
from benchmarks.ceilings import Ceilings
from benchmarks.measure import Result, exact
from benchmarks.processes import cpu_seconds, memory, run_pinned
from benchmarks.stack import Stack, stack, stores
from services.log import keys
from services.model.partition import DEFAULT_PARTITIONS
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer
from tests.servers.services import Service

SIZES = (8, 50, 200)
"""Hits an entry: 64 connections make 8, an ingest at its limit about 50, a spool 200 and more."""
ORDINARY = 50
HITS = 1_500_000
"""Seconds of steady work: of fewer hits, a good part is the first flush and the rows it loads."""
FIRST_HITS = 300_000
BACKLOG = 2_000_000
GROUP = "luot"
LONGEST_SECONDS = 180.0


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure how fast a worker folds, catches up, and starts again."""
    part = 4 if quick else 1
    views = portals.views(backlog.DISTINCT)
    for kind in stores():
        for size in (ORDINARY,) if quick else SIZES:
            with stack() as running:
                yield from _steady(running, kind, size, HITS // part, views)
        with stack() as running:
            # Their rows are loaded from the store.
            first = FIRST_HITS // part
            yield from _alone(running, kind, f"the first {first:,} hits", first, views)
        with stack() as running:
            # What runs where there is no compiler.
            what, count = "fold in Python", HITS // part
            yield from _alone(running, kind, what, count, views, LUOT_FOLD="python")
        with stack() as running:
            yield from _behind(running, kind, BACKLOG // part, views)


def _steady(
    running: Stack, kind: str, size: int, count: int, views: list[portals.View]
) -> Iterator[Result]:
    """Measure a worker that already owns its partitions, and its ceilings with the same log."""
    redis = running.redis()
    url, server = running.store(kind)
    hits, seconds, cpu, server_cpu = folded(running, redis, url, server, size, count, views)
    ceilings = _ceilings(running, redis, kind, server)
    least = max(ceilings.decode.seconds, ceilings.insert.seconds)
    named = f"{kind}, {size} hits an entry"
    yield exact(f"{named}: decode alone", hits / ceilings.decode.seconds, "hits/s")
    yield exact(f"{named}: insert alone", hits / ceilings.insert.seconds, "hits/s")
    yield msgspec.structs.replace(
        exact(f"{named}: committed", hits / seconds, "hits/s", curve=kind, at=size),
        times=least / seconds,
        ceiling="the slower of decode and insert alone",
    )
    for what, value in (
        ("decode alone", ceilings.decode.cpu),
        ("insert alone", ceilings.insert.cpu),
        ("aggregator", cpu),
        *([("server of ClickHouse", server_cpu)] if server else []),
    ):
        yield exact(f"{named}: processor time, {what}", value * 1e6 / hits, "µs/hit")
    alone = ceilings.decode.cpu + ceilings.insert.cpu
    yield exact(f"{named}: decode and insert alone, of the aggregator", alone / cpu, "×")


def _alone(
    running: Stack, kind: str, what: str, count: int, views: list[portals.View], **environ: str
) -> Iterator[Result]:
    """Measure a worker without its ceilings."""
    redis = running.redis()
    url, server = running.store(kind)
    hits, seconds, cpu, _ = folded(running, redis, url, server, ORDINARY, count, views, **environ)
    named = f"{kind}, {ORDINARY} hits an entry, {what}"
    yield exact(f"{named}: committed", hits / seconds, "hits/s")
    yield exact(f"{named}: processor time, aggregator", cpu * 1e6 / hits, "µs/hit")


class Backlog(NamedTuple):
    """What it took to commit so many hits: seconds, and those of the processor."""

    hits: int
    seconds: float
    cpu: float
    server_cpu: float


def folded(
    running: Stack,
    redis: RedisServer,
    url: str,
    server: ClickHouseServer | None,
    size: int,
    count: int,
    views: list[portals.View],
    module: str = "",
    **environ: str,
) -> Backlog:
    """Measure a worker that already owns its partitions; `module` is run in place of `luot`."""
    # It sleeps while the log is written, and must not lose its leases.
    environ["LUOT_LEASE_SECONDS"] = "300"
    aggregator = start(running, redis, url, wait=True, module=module, **environ)
    wait_until(lambda: owned(redis) == DEFAULT_PARTITIONS)
    with _asleep(aggregator.pid):
        hits = asyncio.run(backlog.append(redis.url, count, size, views))
        end = asyncio.run(backlog.ends(redis.url))
        used, of_server = cpu_seconds(aggregator.pid), _cpu(server)
        started = time.perf_counter()
    wait_until(partial(is_committed, redis, end))
    seconds = time.perf_counter() - started
    cpu, server_cpu = cpu_seconds(aggregator.pid) - used, _cpu(server) - of_server
    aggregator.stop()
    return Backlog(hits, seconds, cpu, server_cpu)


def _behind(running: Stack, kind: str, count: int, views: list[portals.View]) -> Iterator[Result]:
    """Measure a start with a backlog, and a second start that replays all of it."""
    redis = running.redis()
    url, _ = running.store(kind)
    hits = asyncio.run(backlog.append(redis.url, count, ORDINARY, views))
    named = f"{kind}, {hits // 100_000 / 10:g} million hits"
    for what, fresh in (("caught up from the start on", 0), ("a new hit after a restart", 1)):
        if fresh:
            asyncio.run(backlog.append(redis.url, 1, 1, views[:1]))
        end = asyncio.run(backlog.ends(redis.url))
        started = time.perf_counter()
        aggregator = start(running, redis, url, wait=False)
        wait_until(partial(is_committed, redis, end))
        yield exact(f"{named}: {what}", time.perf_counter() - started, "s")
        yield exact(f"{named}: memory then", memory(aggregator.pid).resident / 1e6, "MB")
        aggregator.stop()


def start(
    running: Stack,
    redis: RedisServer,
    url: str,
    *,
    wait: bool = True,
    module: str = "",
    **environ: str,
) -> Service:
    """Start an aggregator on the core that is measured; `module` is run in place of `luot`."""
    urls = {"LUOT_REDIS_URL": redis.url, "LUOT_CLICKHOUSE_URL": url}
    return running.service("aggregator", wait=wait, module=module, **urls, **environ)


def wait_until(reached: Callable[[], bool]) -> None:
    """Wait for a state; looking at it costs the machine next to nothing."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not reached in {LONGEST_SECONDS:.0f} s")
        time.sleep(0.02)


def owned(redis: RedisServer) -> int:
    """Return how many partitions have an owner."""
    with redis.client() as client:
        return sum(
            client.exists(keys.owner(partition, GROUP)) for partition in range(DEFAULT_PARTITIONS)
        )


def committed(redis: RedisServer) -> dict[int, int]:
    """Return the committed position of each partition that has one."""
    with redis.client() as client:
        return {int(key): int(at) for key, at in client.hgetall(keys.commits(GROUP)).items()}


def is_committed(redis: RedisServer, end: Mapping[int, int]) -> bool:
    """Tell whether all partitions are committed up to these positions."""
    at = committed(redis)
    return all(at.get(partition, 0) >= position for partition, position in end.items())


def _cpu(server: ClickHouseServer | None) -> float:
    return cpu_seconds(server.pid) if server else 0.0


@contextlib.contextmanager
def _asleep(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _ceilings(
    running: Stack, redis: RedisServer, kind: str, server: ClickHouseServer | None
) -> Ceilings:
    url = (
        server.url.replace("/luot", "/ceiling") if server else f"chdb://{running.folder / 'other'}"
    )
    said = run_pinned("benchmarks.ceilings", redis.url, url)
    return msgspec.json.decode(said, type=Ceilings)
