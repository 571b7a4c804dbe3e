"""Two ClickHouse servers in one URL: no number goes down because the second one lags."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from clickhouse_driver import Client

from services.store.migrations import migrate
from services.store.open import open_store
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.services import Service
from tests.servers.system import System


class Pair:
    """A system whose aggregator knows two servers; everybody else reads the first one."""

    def __init__(self, directory: Path) -> None:
        self.system = System(directory)
        self.second = ClickHouseServer(directory / "second")
        first = self.system.clickhouse
        self.system.aggregator = Service(
            "aggregator",
            directory,
            LUOT_REDIS_URL=self.system.redis.url,
            LUOT_CLICKHOUSE_URL=(
                f"clickhouse://default@127.0.0.1:{first.port},127.0.0.1:{self.second.port}/luot"
            ),
        )

    def views(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            address = {"X-Forwarded-For": f"10.0.0.{number % 200}"}
            assert self.system.hit("mytho", f"/{number}", **address).status_code == 202

    def replicate(self) -> None:
        """Do what replication would do: bring everything to the second server."""
        first = f"'127.0.0.1:{self.system.clickhouse.port}', luot"
        with client(self.second) as opened:
            for table in ("counters", "hits", "peaks", "sites", "meta"):
                opened.execute(f"INSERT INTO {table} SELECT * FROM remote({first}, {table})")

    def total(self, server: ClickHouseServer) -> int:
        with client(server) as opened:
            ((views,),) = opened.execute(
                "SELECT sum(v) FROM (SELECT argMax(views, position) AS v FROM counters"
                " WHERE grain = 'total' AND path = '' GROUP BY site)"
            )
        return int(views)

    def wait_until_refused(self) -> str:
        """Return what the aggregator says of its readiness once it has no store."""
        said = ""
        for _ in range(600):
            with contextlib.suppress(httpx.ConnectError):
                said = httpx.get(f"{self.system.aggregator.url}/readyz").text
            if "no host can be used" in said:
                return said
            wait()
        raise AssertionError(f"the aggregator goes on: {said}")

    def wait_for_total(self, server: ClickHouseServer, views: int) -> None:
        for _ in range(600):
            if self.total(server) == views:
                return
            wait()
        assert self.total(server) == views


def client(server: ClickHouseServer) -> Client:
    return Client("127.0.0.1", port=server.port, database="luot")


def wait() -> None:
    asyncio.run(asyncio.sleep(0.1))


async def make_schema(url: str) -> None:
    store = open_store(url)
    await migrate(store)
    await store.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    try:
        pair.second.start()
        asyncio.run(make_schema(pair.second.url))
        pair.system.start()
        pair.system.add_site("mytho")
        yield pair
    finally:
        pair.system.stop()
        pair.second.kill()


def test_hits_wait_while_only_a_host_that_lags_is_left(pair: Pair) -> None:
    system = pair.system
    pair.views(0, 20)
    system.counter_when("mytho", total=20, metric="views")
    system.clickhouse.kill()
    pair.views(20, 10)
    assert "it lags: counters of partitions" in pair.wait_until_refused()
    assert pair.total(pair.second) == 0

    # Nor does one that was started again go on with it.
    system.aggregator.kill()
    system.aggregator.start(wait=False)
    assert "it lags: counters of partitions" in pair.wait_until_refused()
    assert pair.total(pair.second) == 0

    system.clickhouse.start()
    system.counter_when("mytho", total=30, metric="views")
    assert pair.total(pair.second) == 0


def test_a_host_that_holds_everything_takes_over(pair: Pair) -> None:
    system = pair.system
    pair.views(0, 20)
    system.counter_when("mytho", total=20, metric="views")
    pair.replicate()
    system.clickhouse.kill()
    pair.views(20, 10)
    pair.wait_for_total(pair.second, 30)
    system.aggregator.wait_until_ready()

    # The first one is back, without what the second has: it is not used again.
    system.clickhouse.start()
    pair.views(30, 5)
    pair.wait_for_total(pair.second, 35)
    system.aggregator.stop()
    system.aggregator.start()
    pair.views(35, 5)
    pair.wait_for_total(pair.second, 40)
    assert pair.total(system.clickhouse) == 20
