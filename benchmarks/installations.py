"""What a hit costs each part of an installation: of one machine, and of the many-process setup.

The large one has three brokers of Kafka and two shards of two replicas of ClickHouse, as
`docker-compose.many.yml` has, but one ZooKeeper instead of three; the small one has one Redis and
one ClickHouse. Either has two ingests and three aggregators. All share this machine, so how much
they take in says little, and what each part does for a hit is what counts.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest

from benchmarks import portals, wrk
from benchmarks.ingest import VIEWS, request
from benchmarks.measure import Result, summary
from benchmarks.processes import cpu_seconds, spread
from benchmarks.stack import SERVER, Stack, publish, stack, stores, written_hits
from services.store.open import open_store
from tests.require import installed
from tests.servers.clickhouse_cluster import ClickHouseCluster
from tests.servers.kafka_cluster import KafkaCluster

SMALL, LARGE = "small", "large"
LOG, STORE, ZOOKEEPER = "log and shared state", "ClickHouse", "ZooKeeper"
ZOOKEEPER_START = "/usr/share/zookeeper/bin/zkServer.sh"
INGESTS = 2
AGGREGATORS = 3
CONNECTIONS = 100
"""To each ingest."""
WARM_SECONDS = 5
SEND_SECONDS, QUICK_SEND_SECONDS = 20, 5
ROUNDS = 3
IDLE_SECONDS = 10.0
QUIET_SECONDS = 4.0
"""All hits are counted once no more have come for so long; flushes are 1.5 s apart at most."""
LOOK_SECONDS = 0.2
LONGEST_SECONDS = 300.0


class Costs(NamedTuple):
    """Accepted hits a second, and µs of a processor a hit by part."""

    a_second: float
    parts: dict[str, float]


class Engines(NamedTuple):
    """Servers that run: their processes by the part that they are, and settings that lead there."""

    parts: dict[str, list[int]]
    environ: dict[str, str]


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure both installations by turns."""
    if SERVER not in stores():
        pytest.skip("clickhouse-server is not installed")
    if not all(map(installed, ("java", "mvn", ZOOKEEPER_START))):
        pytest.skip("the large installation needs Java, Maven and ZooKeeper")
    ways = {SMALL: _small, LARGE: _large}
    measured: dict[str, list[Costs]] = {name: [] for name in ways}
    for _ in range(1 if quick else ROUNDS):
        for name, way in ways.items():
            with stack() as running:
                seconds = QUICK_SEND_SECONDS if quick else SEND_SECONDS
                measured[name].append(_costs(running, way(running), seconds))
    yield from _results(measured)


def _results(measured: Mapping[str, Sequence[Costs]]) -> Iterator[Result]:
    """Compare the parts of the large installation with those of the small one, where it has any."""
    for name, costs in measured.items():
        yield summary(f"{name}: accepted", [cost.a_second for cost in costs], unit="hits/s")
    for part in measured[LARGE][0].parts:
        per_hit = {
            f"{name}: {part}": [cost.parts[part] for cost in costs]
            for name, costs in measured.items()
            if part in costs[0].parts
        }
        small = f"{SMALL}: {part}"
        compared = (per_hit, small) if small in per_hit else ()
        for what, values in per_hit.items():
            yield summary(what, values, *compared)


def _small(running: Stack) -> Engines:
    redis, server = running.redis(), running.clickhouse()
    publish(redis, portals.sites())
    return Engines(
        {LOG: [redis.pid], STORE: [server.pid]},
        {"LUOT_REDIS_URL": redis.url, "LUOT_CLICKHOUSE_URL": server.url},
    )


def _large(running: Stack) -> Engines:
    redis = running.redis()
    publish(redis, portals.sites())
    brokers = KafkaCluster(running.folder / "kafka")
    for broker in brokers.brokers:
        # The tests' own are for a quick start, not for much work.
        broker.java_options = ()
    cluster = ClickHouseCluster(running.folder / "cluster")
    for stop, start in ((brokers.kill, brokers.start), (cluster.stop, cluster.start)):
        running.on_close(stop)
        start()
    asyncio.run(cluster.migrate())
    return Engines(
        {
            LOG: [*(broker.pid for broker in brokers.brokers), redis.pid],
            STORE: [member.pid for member in cluster.members],
            ZOOKEEPER: [cluster.zookeeper.pid],
        },
        {
            "LUOT_REDIS_URL": redis.url,
            "LUOT_LOG_URL": brokers.url("hits"),
            "LUOT_CLICKHOUSE_URL": cluster.url,
        },
    )


def _costs(running: Stack, engines: Engines, seconds: float) -> Costs:
    """Measure from the first request until all hits are counted, without what is done idly."""
    ingests, aggregators = (
        [running.service(name, wait=False, **engines.environ) for _ in range(number)]
        for name, number in (("ingest", INGESTS), ("aggregator", AGGREGATORS))
    )
    for service in (*ingests, *aggregators):
        service.wait_until_ready()
    parts = {
        "ingest": [service.pid for service in ingests],
        **engines.parts,
        "aggregator": [service.pid for service in aggregators],
    }
    for pid in (pid for pids in parts.values() for pid in pids):
        spread(pid)
    ports, url = [service.port for service in ingests], engines.environ["LUOT_CLICKHOUSE_URL"]
    before, _ = _sent(ports, WARM_SECONDS)
    asyncio.run(_counted(url, before))
    start = _cpu(parts)
    time.sleep(IDLE_SECONDS)
    began, before_load = time.monotonic(), _cpu(parts)
    hits, a_second = _sent(ports, seconds)
    asyncio.run(_counted(url, before + hits))
    idly, end = (time.monotonic() - began) / IDLE_SECONDS, _cpu(parts)
    used = {
        part: end[part] - before_load[part] - idly * (before_load[part] - start[part])
        for part in parts
    }
    return Costs(a_second, {part: cpu * 1e6 / hits for part, cpu in used.items()})


def _cpu(parts: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return the seconds of a processor that each part has used."""
    return {part: cpu_seconds(*pids) for part, pids in parts.items()}


def _sent(ports: Sequence[int], seconds: float) -> tuple[int, float]:
    """Load each ingest; return how many hits were accepted, and how many a second."""
    requests = [request(view) for view in portals.views(VIEWS)]
    loads = wrk.load_all(ports, requests, seconds=seconds, connections=CONNECTIONS)
    return sum(load.requests for load in loads), sum(load.a_second for load in loads)


async def _counted(url: str, hits: int) -> None:
    """Wait until so many hits are in the store. Raises RuntimeError."""
    store = open_store(url)
    deadline = time.monotonic() + LONGEST_SECONDS
    try:
        while (now := await written_hits(store)) < hits:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{now} of {hits} hits in {LONGEST_SECONDS:.0f} s")
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.sleep(QUIET_SECONDS)
    finally:
        await store.close()
