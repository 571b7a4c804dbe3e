"""The log in Redis and in Kafka: what aggregators and ingests reach on either, and by their number.

Everything is on this machine, the brokers too. So what more processes bring here is how well they
share two cores; what counts is what stands beside it in the same run.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import msgspec
import pytest

from benchmarks import backlog, portals, wrk
from benchmarks.aggregator import ORDINARY
from benchmarks.ceilings import Cost
from benchmarks.ingest import VIEWS, request
from benchmarks.measure import Result, summary
from benchmarks.portals import View
from benchmarks.processes import cpu_seconds, run_pinned, spread
from benchmarks.stack import SERVER, Stack, publish, stack, stores, written_hits
from services.model.partition import DEFAULT_PARTITIONS
from services.store.open import open_store
from tests.require import installed

REDIS, KAFKA = "Redis", "Kafka"
HITS = 600_000
ROUNDS = 3
WORKERS = 2
PARTITIONS = (2, 32)
"""Beside those that are usual."""
INGESTS = (1, 2)
CONNECTIONS = 500
"""To each ingest: a transaction of Kafka takes in all that wait, so few would wait longest."""
WARM_SECONDS = 2
SEND_SECONDS = 5
LOOK_SECONDS = 0.05
LONGEST_SECONDS = 180.0


class Place(NamedTuple):
    """A log, and the settings of services that use it."""

    url: str
    environ: dict[str, str]


class Speed(NamedTuple):
    """Hits a second, and µs of a processor a hit."""

    a_second: float
    cpu: float


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure both logs by turns."""
    if SERVER not in stores():
        pytest.skip("clickhouse-server is not installed")
    if not (installed("java") and installed("mvn")):
        pytest.skip("a broker of Kafka needs Java and Maven")
    views = portals.views(backlog.DISTINCT // (4 if quick else 1))
    rounds, hits = (1, HITS // 2) if quick else (ROUNDS, HITS)
    yield from _aggregators(views, hits, rounds)
    yield from _ingests([request(view) for view in portals.views(VIEWS)], rounds)


def _aggregators(views: list[View], hits: int, rounds: int) -> Iterator[Result]:
    """Measure what is committed of a log that waits: on one core, by workers, by partitions."""
    one, bare = f"{KAFKA}, 1 aggregator", "a bare consumer of Kafka that decodes"
    ways: dict[str, Callable[[], Speed]] = {
        f"{REDIS}, 1 aggregator": lambda: _folded(REDIS, views, hits),
        one: lambda: _folded(KAFKA, views, hits),
        bare: lambda: _bare(views, hits),
    }
    ways |= {
        f"{kind}, {WORKERS} aggregators": partial(_folded, kind, views, hits, workers=WORKERS)
        for kind in (REDIS, KAFKA)
    }
    ways |= {
        f"{one}, {number} partitions": partial(_folded, KAFKA, views, hits, partitions=number)
        for number in PARTITIONS
    }
    yield from _by_turns(ways, rounds, f"{REDIS}, 1 aggregator", (one, bare))


def _ingests(requests: Sequence[bytes], rounds: int) -> Iterator[Result]:
    """Measure what ingests accept."""
    ways: dict[str, Callable[[], Speed]] = {
        f"{kind}, {number} ingest{'s' if number > 1 else ''}": partial(
            _accepted, kind, requests, number
        )
        for kind in (REDIS, KAFKA)
        for number in INGESTS
    }
    yield from _by_turns(ways, rounds, f"{REDIS}, 1 ingest")


def _by_turns(
    ways: Mapping[str, Callable[[], Speed]],
    rounds: int,
    ceiling: str,
    share: tuple[str, str] | None = None,
) -> Iterator[Result]:
    """Measure each way in turn; their speeds are compared with that of one of them.

    share  one of them, and another one that it is compared with, too
    """
    found: dict[str, list[Speed]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    speeds = {name: [each.a_second for each in speeds] for name, speeds in found.items()}
    for name, values in speeds.items():
        yield summary(name, values, speeds, ceiling, "hits/s")
        yield summary(f"{name}: processor time", [each.cpu for each in found[name]])
    if share is not None:
        own, least = share
        shares = [one / other for one, other in zip(speeds[own], speeds[least], strict=True)]
        yield summary(f"{own}: share of {least}", shares, unit="×")


@contextmanager
def _log(kind: str, partitions: int = DEFAULT_PARTITIONS) -> Iterator[tuple[Stack, Place]]:
    """Run a log, and shared state beside it."""
    with stack() as running:
        redis = running.redis()
        url = redis.url if kind == REDIS else running.kafka().url("hits")
        named = {} if kind == REDIS else {"LUOT_LOG_URL": url}
        environ = {
            "LUOT_REDIS_URL": redis.url,
            "LUOT_PARTITIONS": str(partitions),
            **named,
        }
        publish(redis, portals.sites())
        yield running, Place(url, environ)


def _folded(
    kind: str,
    views: list[View],
    count: int,
    *,
    workers: int = 1,
    partitions: int = DEFAULT_PARTITIONS,
) -> Speed:
    """Measure what workers commit to a store, from their first flush on: one has a core alone."""
    with _log(kind, partitions) as (running, log):
        hits = asyncio.run(backlog.append(log.url, count, ORDINARY, views, partitions))
        store = running.clickhouse().url
        environ = {**log.environ, "LUOT_CLICKHOUSE_URL": store}
        started = [running.service("aggregator", wait=False, **environ) for _ in range(workers)]
        if workers > 1:
            for service in started:
                spread(service.pid)
        return asyncio.run(_committed(store, hits, [service.pid for service in started]))


async def _committed(url: str, hits: int, pids: Sequence[int]) -> Speed:
    """Look at the store until all hits are there; what comes with the first ones does not count."""
    store = open_store(url)
    first, since, before = 0, 0.0, 0.0
    deadline = time.monotonic() + LONGEST_SECONDS
    try:
        while (now := await written_hits(store)) < hits:
            if not first and now:
                first, since, before = now, time.perf_counter(), cpu_seconds(*pids)
            if time.monotonic() > deadline:
                raise RuntimeError(f"{now} of {hits} hits in {LONGEST_SECONDS:.0f} s")
            await asyncio.sleep(LOOK_SECONDS)
        seconds, cpu = time.perf_counter() - since, cpu_seconds(*pids) - before
    finally:
        await store.close()
    if not first:
        raise RuntimeError(f"all of {hits} hits came with the first flush: nothing to measure")
    return Speed((hits - first) / seconds, cpu * 1e6 / (hits - first))


def _bare(views: list[View], count: int) -> Speed:
    """Measure the ceiling of who reads Kafka, on the core of an aggregator."""
    with _log(KAFKA) as (_, log):
        hits = asyncio.run(backlog.append(log.url, count, ORDINARY, views))
        said = run_pinned("benchmarks.bare_consumer", log.url, str(hits))
    cost = msgspec.json.decode(said, type=Cost)
    return Speed(hits / cost.seconds, cost.cpu * 1e6 / hits)


def _accepted(kind: str, requests: Sequence[bytes], number: int) -> Speed:
    """Measure what ingests answer to as many loads, one to each; all share both cores."""
    with _log(kind) as (running, log):
        started = [running.service("ingest", wait=True, **log.environ) for _ in range(number)]
        pids = [service.pid for service in started]
        for pid in pids:
            spread(pid)

        load = partial(
            wrk.load_all,
            [service.port for service in started],
            requests,
            connections=CONNECTIONS,
        )
        load(seconds=WARM_SECONDS)
        before = cpu_seconds(*pids)
        loads = load(seconds=SEND_SECONDS)
        answered = sum(each.requests for each in loads)
        cpu = (cpu_seconds(*pids) - before) * 1e6 / answered
        return Speed(sum(each.a_second for each in loads), cpu)
