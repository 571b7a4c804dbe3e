"""What the API answers while the store or Redis is away."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.model.calendar import EPOCH
from services.state import keys
from services.store.migrations import SchemaError, migrate
from services.store.open import open_store
from services.store.records import sites
from tests.integration.api.world import SITE, TOKEN, Clock, serving, write_counter
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer

COUNTER = "/api/counter/mytho"


@pytest.fixture
def clickhouse(tmp_path: Path) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        yield server


@pytest.fixture
async def counted(clickhouse: ClickHouseServer) -> ClickHouseServer:
    """A server with the schema, one site and a total of 100."""
    store = open_store(clickhouse.url)
    await migrate(store)
    await sites.save(store, SITE, 1)
    await write_counter(store, "mytho", "total", EPOCH, 100)
    await store.close()
    return clickhouse


@pytest.fixture
async def api(
    clickhouse: ClickHouseServer, redis_server: RedisServer, clock: Clock
) -> AsyncIterator[Api]:
    with redis_server.client() as redis:
        redis.flushall()
    settings = ApiSettings.read(
        {}, clickhouse_url=clickhouse.url, redis_url=redis_server.url, admin_token=TOKEN
    )
    api = Api(settings, clock=clock, monotonic=clock)
    yield api
    await api.stop()


async def test_the_last_good_numbers_are_served_while_the_store_is_away(
    counted: ClickHouseServer, api: Api, clock: Clock
) -> None:
    await api.start()
    async with serving(api.asgi) as client:
        good = await client.get(COUNTER, params={"path": "/a"})
        counted.kill()
        clock.now += 60
        stale = await client.get(COUNTER, params={"path": "/a"})
        unknown = await client.get(COUNTER, params={"metric": "visitors"})

        assert stale.json() == {**good.json(), "stale": True}
        assert stale.headers["etag"] != good.headers["etag"]
        assert unknown.status_code == 503
        assert unknown.headers["retry-after"] == "2"
        assert list(unknown.json()["errors"]) == ["store"]
        new = await client.post(
            "/api/admin/sites", json={"slug": "x"}, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        assert new.status_code == 503
        assert (await client.get("/api/counter/x")).status_code == 404

        counted.start()
        clock.now += 60
        back = (await client.get(COUNTER)).json()
        assert (back["stale"], back["total"], back["as_of"]) == (
            False,
            100,
            "2024-01-03T12:02:00+07:00",
        )


async def test_an_api_that_starts_before_the_store_waits_for_it(
    counted: ClickHouseServer, api: Api
) -> None:
    counted.stop()
    await api.start()
    async with serving(api.asgi) as client:
        ready = await client.get("/readyz")
        early = await client.get(COUNTER)
        alive = await client.get("/healthz")
        assert (ready.status_code, early.status_code, alive.status_code) == (503, 503, 200)
        assert "not available" in ready.json()["reason"]

        counted.start()
        await api.opened()
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get(COUNTER)).json()["total"] == 100


async def test_without_redis_the_counts_are_right_and_marked_as_stale(
    counted: ClickHouseServer, redis_server: RedisServer, api: Api, clock: Clock
) -> None:
    await api.start()
    async with serving(api.asgi) as client:
        async with Redis.from_url(redis_server.url) as redis:
            await redis.hset(keys.ONLINE, "mytho", f"7:{clock.ms}")
        assert (await client.get(COUNTER)).json()["online"] == 7

        redis_server.kill()
        clock.now += 60
        without = (await client.get(COUNTER)).json()
        assert (without["total"], without["online"], without["stale"]) == (100, 7, True)
        clock.now += 600
        assert (await client.get(COUNTER)).json()["online"] == 0
        redis_server.start()


async def test_a_store_made_for_other_partitions_stops_the_start(
    counted: ClickHouseServer, redis_server: RedisServer, api: Api
) -> None:
    await api.start()
    other = ApiSettings.read(
        {}, clickhouse_url=counted.url, redis_url=redis_server.url, partitions=3
    )
    with pytest.raises(SchemaError, match="LUOT_PARTITIONS=3"):
        await Api(other).start()
