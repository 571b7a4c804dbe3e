"""What a hit costs each part of an installation: of one machine, and of the many-process setup.

The large one has three brokers of Kafka, two shards of two replicas of ClickHouse with a ZooKeeper,
two ingests and three aggregators, as `docker-compose.many.yml` has; the small one the same services
on one Redis and one ClickHouse. All share this machine, so how much they take in says little, and
what each part does for a hit is what counts.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import NamedTuple

import pytest

from benchmarks import portals, wrk
from benchmarks.ingest import VIEWS, request
from benchmarks.measure import Result, summary
from benchmarks.processes import cpu_seconds, spread
from benchmarks.stack import SERVER, Stack, publish, stack, stores
from services.store.interface import Store, StoreError
from services.store.open import open_store
from tests.require import installed
from tests.servers.clickhouse_cluster import ClickHouseCluster
from tests.servers.kafka_cluster import KafkaCluster

SMALL, LARGE = "small", "large"
LOG, STORE, STATE, ZOOKEEPER = "log", "ClickHouse", "Redis for shared state", "ZooKeeper"
ZOOKEEPER_START = "/usr/share/zookeeper/bin/zkServer.sh"
INGESTS = 2
AGGREGATORS = 3
CONNECTIONS = 100
"""To each ingest."""
WARM_SECONDS = 5
SEND_SECONDS = 20
ROUNDS = 3
QUIET_SECONDS = 4.0
"""All hits are counted once no more have come for so long; flushes are 1.5 s apart at most."""
LOOK_SECONDS = 0.2
LONGEST_SECONDS = 300.0


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
    ways: dict[str, Callable[[Stack], AbstractContextManager[Engines]]] = {
        SMALL: _small,
        LARGE: _large,
    }
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(1 if quick else ROUNDS):
        for name, way in ways.items():
            with stack() as running, way(running) as engines:
                costs[name].append(_costs(running, engines, 5 if quick else SEND_SECONDS))
    for part in costs[LARGE][0]:
        per_hit = {
            f"{name}, {part}": [round_[part] for round_ in rounds]
            for name, rounds in costs.items()
            if part in rounds[0]
        }
        for what, values in per_hit.items():
            yield summary(what, values, per_hit, f"{SMALL}, {part}")


@contextmanager
def _small(running: Stack) -> Iterator[Engines]:
    redis, server = running.redis(), running.clickhouse()
    publish(redis, portals.sites())
    yield Engines(
        {LOG: [redis.pid], STORE: [server.pid]},
        {"LUOT_REDIS_URL": redis.url, "LUOT_CLICKHOUSE_URL": server.url},
    )


@contextmanager
def _large(running: Stack) -> Iterator[Engines]:
    redis = running.redis()
    publish(redis, portals.sites())
    with (
        KafkaCluster(running.folder / "kafka") as brokers,
        ClickHouseCluster(running.folder / "cluster") as cluster,
    ):
        asyncio.run(cluster.migrate())
        yield Engines(
            {
                LOG: [broker.pid for broker in brokers.brokers],
                STORE: [member.pid for member in cluster.members],
                ZOOKEEPER: [cluster.zookeeper.pid],
                STATE: [redis.pid],
            },
            {
                "LUOT_REDIS_URL": redis.url,
                "LUOT_LOG_URL": brokers.url("hits"),
                "LUOT_CLICKHOUSE_URL": cluster.url,
            },
        )


def _costs(running: Stack, engines: Engines, seconds: float) -> dict[str, float]:
    """Return µs of a processor a hit by part, from its request until it is counted."""
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
    before = _sent(ports, WARM_SECONDS)
    asyncio.run(_counted(url, before))
    used = {part: cpu_seconds(*pids) for part, pids in parts.items()}
    hits = _sent(ports, seconds)
    asyncio.run(_counted(url, before + hits))
    return {part: (cpu_seconds(*pids) - used[part]) * 1e6 / hits for part, pids in parts.items()}


def _sent(ports: Sequence[int], seconds: float) -> int:
    """Load each ingest; return how many hits were accepted."""
    requests = [request(view) for view in portals.views(VIEWS)]
    send = partial(wrk.load, requests=requests, seconds=seconds, connections=CONNECTIONS)
    with ThreadPoolExecutor(len(ports)) as pool:
        return sum(load.requests for load in pool.map(send, ports))


async def _counted(url: str, hits: int) -> None:
    """Wait until so many hits are in the store. Raises RuntimeError."""
    store = open_store(url)
    deadline = time.monotonic() + LONGEST_SECONDS
    try:
        while (now := await _written(store)) < hits:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{now} of {hits} hits in {LONGEST_SECONDS:.0f} s")
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.sleep(QUIET_SECONDS)
    finally:
        await store.close()


async def _written(store: Store) -> int:
    try:
        [[count]] = await store.execute("SELECT count() FROM hits")
    except StoreError:
        return 0
    return int(count)
