"""A store that can be read and not written: its account may only read, or its disk is full."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from clickhouse_driver import Client
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.model.calendar import EPOCH
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store
from services.store.records import sites
from tests.chaos.world import Disk
from tests.integration.api.world import SITE, TOKEN, Clock, OpenApi, opened, write_counter
from tests.require import missing
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer

COUNTER = "/api/counter/mytho"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
ACCOUNT = """<yandex>
    <profiles><limited><readonly>{level}</readonly></limited></profiles>
    <users><limited>
        <password></password><networks><ip>127.0.0.1</ip></networks>
        <profile>limited</profile><quota>default</quota>
    </limited></users>
</yandex>
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


def limit(server: ClickHouseServer, level: int) -> None:
    """Set what the account `limited` may do: 0 all, 1 read, 2 read and change settings."""
    (server.directory / "users.d" / "limited.xml").write_text(ACCOUNT.format(level=level))
    with Client("127.0.0.1", port=server.port) as operator:
        operator.execute("SYSTEM RELOAD CONFIG")


def limited(url: str) -> str:
    return url.replace("default@", "limited@")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    disk = Disk(tmp_path_factory.mktemp("disk") / "disk")
    disk.mount()
    yield disk
    disk.free()
    disk.unmount()


@pytest.fixture(scope="module")
def server(disk: Disk) -> Iterator[ClickHouseServer]:
    directory = disk.directory / "clickhouse"
    (directory / "users.d").mkdir(parents=True)
    (directory / "users.d" / "limited.xml").write_text(ACCOUNT.format(level=0))
    with ClickHouseServer(directory) as server:
        yield server


@pytest.fixture
async def clickhouse(server: ClickHouseServer) -> AsyncIterator[ClickHouseServer]:
    """A server with the schema, one site and a total of 100."""
    store = open_store(server.url)
    await migrate(store)
    await fix_partitions(store, 8)
    for table in ("counters", "sites"):
        await store.execute(f"TRUNCATE TABLE {table}")
    await sites.save(store, SITE, 1)
    await write_counter(store, "mytho", "total", EPOCH, 100)
    await store.close()
    yield server
    limit(server, 0)


@pytest.fixture
def open_api(clickhouse: ClickHouseServer, redis_server: RedisServer, clock: Clock) -> OpenApi:
    return partial(opened, limited(clickhouse.url), redis_server.url, clock)


async def numbers(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get(COUNTER)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def assert_no_write(client: httpx.AsyncClient, said: str) -> None:
    new = {"slug": "new"}
    for method, path, body in (
        ("POST", "", new),
        ("PATCH", "/mytho", {"name": "x"}),
        ("DELETE", "/mytho", None),
    ):
        answer = await client.request(method, f"/api/admin/sites{path}", json=body, headers=ADMIN)
        assert answer.status_code == 503, answer.text
        (told,) = answer.json()["errors"]["store"]
        assert said in told
    assert (await client.get("/api/counter/new")).status_code == 404
    assert (await client.get("/api/admin/sites/mytho", headers=ADMIN)).json()["name"] == SITE.name


@pytest.mark.parametrize("level", [1, 2])
async def test_an_account_that_may_only_read_is_enough_to_serve_a_store_that_is_current(
    clickhouse: ClickHouseServer, open_api: OpenApi, redis: Redis, level: int
) -> None:
    limit(clickhouse, level)
    async with open_api() as client:
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        assert (await numbers(client))["total"] == 100
        assert (await numbers(client))["stale"] is False
        lengths = {"site_id": "mytho", "period": "day", "metrics": "bounce_rate,visit_duration"}
        answer = await client.get("/api/v1/stats/aggregate", params=lengths, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        await assert_no_write(client, "readonly mode")

        limit(clickhouse, 0)
        made = await client.post("/api/admin/sites", json={"slug": "new"}, headers=ADMIN)
        assert made.status_code == 201


async def test_a_server_that_comes_back_read_only_stops_no_reader(
    clickhouse: ClickHouseServer, open_api: OpenApi, redis: Redis, clock: Clock
) -> None:
    async with open_api() as client:
        good = await numbers(client)
        limit(clickhouse, 2)
        clickhouse.stop()
        clickhouse.start()
        clock.now += 5
        after = await numbers(client)
        assert (after["total"], after["stale"]) == (good["total"], False)
        assert after["as_of"] > good["as_of"]
        await assert_no_write(client, "readonly mode")


async def test_an_account_that_may_only_read_waits_for_somebody_who_makes_the_schema(
    server: ClickHouseServer, redis_server: RedisServer, redis: Redis, clock: Clock
) -> None:
    url = server.url.replace("/luot", "/empty")
    operator = open_store(url)
    await operator.prepare()
    limit(server, 2)
    settings = ApiSettings.read({}, clickhouse_url=limited(url), redis_url=redis_server.url)
    api = Api(settings, clock=clock, monotonic=clock)
    try:
        await api.start()
        assert "readonly mode" in str(await api.ready())
        await migrate(operator)
        await fix_partitions(operator, settings.partitions)
        async with asyncio.timeout(90):
            await api.opened()
        assert await api.ready() is None
    finally:
        await api.stop()
        await operator.close()
        limit(server, 0)


async def test_a_full_disk_stops_no_reader_and_no_start(
    clickhouse: ClickHouseServer, open_api: OpenApi, redis: Redis, clock: Clock, disk: Disk
) -> None:
    if not disk.mounted:
        missing("the right to mount a tmpfs")
    async with open_api() as client:
        good = await numbers(client)
        disk.fill()
        try:
            clock.now += 5
            full = await numbers(client)
            assert (full["total"], full["stale"]) == (good["total"], False)
            await assert_no_write(client, "the store did not take the change")
            async with open_api() as restarted:
                assert (await restarted.get("/readyz")).status_code == 200
                assert (await numbers(restarted))["total"] == 100
        finally:
            disk.free()
        made = await client.post("/api/admin/sites", json={"slug": "new"}, headers=ADMIN)
        assert made.status_code == 201
