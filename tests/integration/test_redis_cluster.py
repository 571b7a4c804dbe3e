"""A whole Luot on a Redis Cluster: slots move, masters die and freeze, and numbers are exact."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.log import keys as log_keys
from services.model.partition import DEFAULT_PARTITIONS, partition_of
from services.state import keys
from tests.integration.ingest.test_spool_process import Load
from tests.patience import PATIENCE_SECONDS, rounds
from tests.require import program
from tests.servers.metrics import Scrape
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import FAILING_MS, MASTERS, RedisCluster
from tests.servers.system import TOKEN, System

DOCUMENT = Path(__file__).parents[2] / "docs" / "redis-cluster.md"
REPLICAS = DOCUMENT.with_name("redis-replicas.md")
STREAMS = [log_keys.stream(number) for number in range(DEFAULT_PARTITIONS)]
SITES = ("mytho", "chogao", "caibe", "cailay")
STATE = [
    *(keys.SITES, keys.NUMBERS, keys.ONLINE, keys.pages("mytho")),
    log_keys.commits("luot"),
]


def stream_of(site: str) -> str:
    return log_keys.stream(partition_of(site, DEFAULT_PARTITIONS))


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
        for site in SITES:
            system.add_site(site)
        yield system
    finally:
        system.stop()


@pytest.fixture(scope="module")
def accepted() -> Counter[str]:
    """How many views of each site were accepted so far."""
    return Counter()


class Loads:
    """Views of sites whose partitions are on different masters, so a group goes to all of them."""

    def __init__(self, system: System, name: str) -> None:
        self._system = system
        self._loads = [Load(system.ingest.url, name, clients=1, site=site) for site in SITES]

    def wait_for(self, count: int) -> None:
        """Wait until so many more views of each site were accepted."""
        for load in self._loads:
            load.wait_for(count)

    def wait_until_logged(self) -> None:
        """Return when hits go straight into the log again, past the spool."""
        for _ in rounds(1.0):
            before = spooled(self._system)
            self.wait_for(20)
            if spooled(self._system) == before:
                return
        raise AssertionError(self._system.ingest.log.read_text()[-3000:])

    def end(self, accepted: Counter[str]) -> None:
        """See that each view counts once."""
        for load in self._loads:
            load.stop()
            assert not load.refused
            assert not load.unknown
            accepted[load.site] += len(load.accepted)
        for site, views in accepted.items():
            self._system.counter_when(site, views, metric="views")


def spooled(system: System) -> float:
    return Scrape(httpx.get(f"{system.ingest.url}/metrics").text).value("luot_spooled_hits_total")


@pytest.mark.timeout(600)
def test_views_count_once_while_slots_move(system: ClusterSystem, accepted: Counter[str]) -> None:
    loads = Loads(system, "a")
    loads.wait_for(50)
    assert len({system.cluster.owner(stream_of(site)).port for site in SITES}) == MASTERS
    for key in (*STREAMS, *STATE):
        owner = system.cluster.owner(key)
        others = [node for node in system.cluster.masters() if node is not owner]
        for _ in system.cluster.moving(key, others[0]):
            loads.wait_for(2)
    loads.wait_until_logged()
    loads.end(accepted)


@pytest.mark.timeout(600)
def test_views_count_once_though_a_master_dies_and_another_freezes(
    system: ClusterSystem, accepted: Counter[str]
) -> None:
    loads = Loads(system, "b")
    loads.wait_for(50)
    dead = system.cluster.owner(stream_of("mytho"))
    before = spooled(system)
    dead.kill()
    loads.wait_for(50)
    system.cluster.master_after(dead, stream_of("mytho"))
    # The new master has no replica before this one is back.
    dead.start()
    loads.wait_until_logged()
    assert spooled(system) > before, "no append met the dead master"
    frozen = system.cluster.owner(keys.SITES)
    frozen.freeze()
    loads.wait_for(50)
    system.cluster.master_after(frozen, keys.SITES)
    loads.wait_for(50)
    # It still takes itself for a master, until others say otherwise.
    frozen.thaw()
    loads.wait_until_logged()
    loads.end(accepted)


@pytest.mark.timeout(600)
def test_views_count_once_though_services_are_killed(
    system: ClusterSystem, accepted: Counter[str]
) -> None:
    loads = Loads(system, "c")
    loads.wait_for(50)
    for service in (system.aggregator, system.api):
        service.kill()
        service.start(wait=False)
    for service in (system.aggregator, system.api):
        service.wait_until_ready()
    loads.end(accepted)


def test_doctor_looks_at_every_master(system: ClusterSystem) -> None:
    own = {"LUOT_REDIS_URL": system.redis_url("luot"), "LUOT_REDIS_REPLICAS": "1"}
    through_api = {"LUOT_URL": system.api.url, "LUOT_TOKEN": TOKEN}
    for settings in (own | system.store_of("luot"), through_api):
        said = subprocess.run(
            [sys.executable, "-m", "services.cli.main", "doctor"],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        ).stdout
        assert "cluster: 3 masters serve all slots" in said
        assert "spread: partitions by master: " in said
        assert "replicas: 1 at work, 1 must hold a hit" in said
        assert "aggregator: 1 running, 8 of 8 partitions owned" in said
        assert "could not be checked: " not in said
