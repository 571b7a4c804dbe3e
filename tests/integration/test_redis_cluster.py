"""A whole Luot on a Redis Cluster: slots move, masters die and freeze, and numbers are exact."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.log import keys as log_keys
from services.model.partition import DEFAULT_PARTITIONS, partition_of
from services.state import keys
from tests.integration.ingest.test_spool_process import Load
from tests.patience import rounds
from tests.require import program
from tests.servers.metrics import Scrape
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import FAILING_MS, RedisCluster
from tests.servers.system import System

DOCUMENT = Path(__file__).parents[2] / "docs" / "redis-cluster.md"
REPLICAS = DOCUMENT.with_name("redis-replicas.md")
STREAMS = [log_keys.stream(number) for number in range(DEFAULT_PARTITIONS)]
STREAM = log_keys.stream(partition_of("mytho", DEFAULT_PARTITIONS))
STATE = [
    *(keys.SITES, keys.NUMBERS, keys.ONLINE, keys.pages("mytho")),
    log_keys.commits("luot"),
]


class ClusterSystem(System):
    """Three processes, ClickHouse, and three masters with a replica each."""

    cluster: RedisCluster

    def make_redis(self, directory: Path, *options: str) -> RedisServer:
        program("redis-server")
        more = {
            parts[1]: parts[2]
            for line in DOCUMENT.read_text("utf-8").splitlines()
            if line.startswith("user ") and (parts := line.split(" ", 2))
        }
        assert more.keys() == {"ingest", "aggregator", "api", "luot"}
        replica = next(
            line
            for line in REPLICAS.read_text("utf-8").splitlines()
            if line.startswith("user replica ")
        )
        lines = self.accounts.acl.read_text().splitlines()
        lines = [f"{line} {more.get(line.split(' ')[1], '')}".rstrip() for line in lines if line]
        self.accounts.acl.write_text("\n".join([*lines, replica, ""]))
        self.cluster = RedisCluster(
            directory,
            *(*options, "--masteruser", "replica", "--masterauth", "REPLICA-PASSWORD"),
            replicas=True,
            timeout_ms=FAILING_MS,
        )
        return self.cluster.nodes[0]

    def start_redis(self) -> None:
        self.cluster.start()

    def stop_redis(self) -> None:
        self.cluster.stop()

    def redis_url(self, role: str) -> str:
        user, _, _ = super().redis_url(role).removeprefix("redis://").rpartition("@")
        return self.cluster.url(f"{user}@")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSystem]:
    system = ClusterSystem(tmp_path_factory.mktemp("system"), LUOT_REDIS_REPLICAS="1")
    try:
        system.start()
        system.add_site("mytho")
        yield system
    finally:
        system.stop()


@pytest.fixture(scope="module")
def accepted() -> list[str]:
    """All views that were accepted so far."""
    return []


def wait_until_logged(system: System, load: Load) -> None:
    """Return when hits go straight into the log again, past the spool."""
    for _ in rounds(1.0):
        before = spooled(system)
        load.wait_for(50)
        if spooled(system) == before:
            return
    raise AssertionError(system.ingest.log.read_text()[-3000:])


def spooled(system: System) -> float:
    return Scrape(httpx.get(f"{system.ingest.url}/metrics").text).value("luot_spooled_hits_total")


def ended(system: System, load: Load, accepted: list[str]) -> None:
    """End a load, and see that each of its views counts once."""
    load.stop()
    assert not load.refused
    assert not load.unknown
    accepted += load.accepted
    system.counter_when("mytho", len(accepted), metric="views")


@pytest.mark.timeout(600)
def test_views_count_once_while_slots_move(system: ClusterSystem, accepted: list[str]) -> None:
    load = Load(system.ingest.url, "a", clients=2)
    load.wait_for(100)
    for key in (*STREAMS, *STATE):
        owner = system.cluster.owner(key)
        others = [node for node in system.cluster.masters() if node is not owner]
        for _ in system.cluster.moving(key, others[0]):
            load.wait_for(5)
    wait_until_logged(system, load)
    ended(system, load, accepted)


@pytest.mark.timeout(600)
def test_views_count_once_though_a_master_dies_and_another_freezes(
    system: ClusterSystem, accepted: list[str]
) -> None:
    load = Load(system.ingest.url, "b", clients=2)
    load.wait_for(100)
    dead = system.cluster.owner(STREAM)
    dead.kill()
    load.wait_for(100)
    system.cluster.master_after(dead, STREAM)
    # The new master has no replica before this one is back.
    dead.start()
    wait_until_logged(system, load)
    frozen = system.cluster.owner(keys.SITES)
    frozen.freeze()
    load.wait_for(100)
    system.cluster.master_after(frozen, keys.SITES)
    load.wait_for(100)
    # It still takes itself for a master, until others say otherwise.
    frozen.thaw()
    wait_until_logged(system, load)
    ended(system, load, accepted)


@pytest.mark.timeout(600)
def test_views_count_once_though_services_are_killed(
    system: ClusterSystem, accepted: list[str]
) -> None:
    load = Load(system.ingest.url, "c", clients=2)
    load.wait_for(100)
    system.aggregator.kill()
    system.aggregator.start(wait=False)
    system.api.kill()
    system.api.start()
    system.aggregator.wait_until_ready()
    ended(system, load, accepted)
    for service in (system.ingest, system.aggregator, system.api):
        service.wait_until_ready()
