"""A whole Luot with three Redis and three Sentinels, with the accounts that the documents give."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.ingest.test_spool_process import Load
from tests.patience import rounds
from tests.require import program
from tests.servers.metrics import Scrape
from tests.servers.redis import RedisServer
from tests.servers.replicas import NAME, Watched
from tests.servers.system import System

DOCUMENT = Path(__file__).parents[2] / "docs" / "redis-replicas.md"


class WatchedSystem(System):
    """Three processes, ClickHouse, and whichever of three Redis is the master."""

    watched: Watched

    def make_redis(self, directory: Path, *options: str) -> RedisServer:
        program("redis-server")
        lines = DOCUMENT.read_text("utf-8").splitlines()
        accounts = [line for line in lines if line.startswith(("user replica", "user sentinel"))]
        assert len(accounts) == 2
        with self.accounts.acl.open("a") as acl:
            acl.write("\n".join([*accounts, ""]))
        self.watched = Watched(
            directory,
            *(*options, "--masteruser", "replica", "--masterauth", "REPLICA-PASSWORD"),
            sentinel=[
                f"sentinel auth-user {NAME} sentinel",
                f"sentinel auth-pass {NAME} SENTINEL-PASSWORD",
            ],
        )
        return self.watched.servers[0]

    def start_redis(self) -> None:
        self.watched.start()

    def stop_redis(self) -> None:
        self.watched.stop()

    def redis_url(self, role: str) -> str:
        user, _, _ = super().redis_url(role).removeprefix("redis://").rpartition("@")
        return self.watched.url(f"{user}@")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[WatchedSystem]:
    system = WatchedSystem(tmp_path, LUOT_REDIS_REPLICAS="1")
    try:
        system.start()
        yield system
    finally:
        system.stop()


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


@pytest.mark.timeout(600)
def test_a_frozen_master_is_replaced_and_every_view_counts_once(system: WatchedSystem) -> None:
    system.add_site("mytho")
    load = Load(system.ingest.url, "a", clients=2)
    load.wait_for(100)
    frozen = system.watched.master
    frozen.freeze()
    load.wait_for(100)
    system.watched.master_after(frozen)
    wait_until_logged(system, load)
    # It still takes itself for the master, until a Sentinel says otherwise.
    frozen.thaw()
    load.wait_for(100)
    load.stop()
    assert not load.refused
    assert not load.unknown
    system.counter_when("mytho", len(load.accepted), metric="views")
    frozen.wait_until_replica()
    system.hit("mytho", "/last")
    system.counter_when("mytho", len(load.accepted) + 1, metric="views")
    for service in (system.ingest, system.aggregator, system.api):
        service.wait_until_ready()
