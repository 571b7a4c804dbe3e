"""An API on an embedded store, or on a server, and a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

import argon2
import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.access import passwords
from services.api.app import Api
from services.api.counter import cache
from services.api.settings import ApiSettings
from services.state import last_shown, online
from services.state.state import State
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store
from services.store.records import sites
from tests.integration.api.world import HANOI, SITE, TOKEN, Clock, serving
from tests.patience import PATIENCE_SECONDS
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer, valkey_program

_TABLES = """
SELECT name
FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
    AND name NOT IN ('meta', 'migrations')
"""

# Opening the embedded store takes a second, so the tests of a file share one, and one event loop.


@pytest.fixture(scope="session")
def embedded_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"chdb://{tmp_path_factory.mktemp('chdb')}/store"


@pytest.fixture(scope="module")
def store_url(
    request: pytest.FixtureRequest, embedded_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The embedded store, and for tests of EITHER_STORE a server as well."""
    if getattr(request, "param", "chdb") == "chdb":
        yield embedded_url
        return
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server.url


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), valkey_program()) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connected(redis_server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_server.url) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def redis(connected: Redis) -> Redis:
    """A Redis with nothing in it."""
    await connected.flushall()
    return connected


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(store_url: str) -> AsyncIterator[Store]:
    store = open_store(store_url)
    await migrate(store)
    yield store
    await store.close()


@pytest_asyncio.fixture(loop_scope="module")
async def store(opened: Store) -> Store:
    """A store with one site and no counts."""
    for (table,) in await opened.execute(_TABLES):
        await opened.execute(f"TRUNCATE TABLE {table}")
    await sites.save(opened, SITE, 1)
    return opened


@pytest.fixture
def dear_passwords() -> None:
    """Let a password take as much time and memory as it does: for tests of what that means."""


@pytest.fixture
def cheap_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords by the same function, at the least cost: in earnest one takes 0.1 s."""
    if "dear_passwords" not in request.fixturenames:
        hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        monkeypatch.setattr(passwords, "_hasher", hasher)
        monkeypatch.setattr(passwords, "_NOBODY", hasher.hash("of nobody"))


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2024, 1, 3, 12, 0, tzinfo=HANOI))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the API wait for stores that are slow because the machine is busy."""
    monkeypatch.setattr(last_shown, "SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(online, "_READ_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(cache, "GIVE_UP_SECONDS", PATIENCE_SECONDS)


class ClockOfTheTest:
    """Shows what the clock of the test that runs shows."""

    clock: Clock

    def __call__(self) -> float:
        return self.clock()


@pytest.fixture(scope="module")
def shown() -> ClockOfTheTest:
    return ClockOfTheTest()


@pytest.fixture(scope="module")
def stopped_api(
    opened: Store, connected: Redis, redis_server: RedisServer, shown: ClockOfTheTest
) -> Api:
    """An API that each test of a file starts anew: to make the application takes 0.1 s."""
    settings = ApiSettings.read({}, admin_token=TOKEN, redis_url=redis_server.url)
    return Api(settings, store=opened, state=State(connected), clock=shown, monotonic=shown)


@pytest_asyncio.fixture(loop_scope="module")
async def api(
    stopped_api: Api,
    shown: ClockOfTheTest,
    store: Store,
    redis: Redis,
    clock: Clock,
    patient: None,
) -> AsyncIterator[Api]:
    """An API that has just started, on empty stores."""
    shown.clock = clock
    await stopped_api.start()
    # On a busy machine a store may be slow to answer at first.
    await asyncio.wait_for(stopped_api.opened(), PATIENCE_SECONDS)
    yield stopped_api
    await stopped_api.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(api.asgi) as client:
        yield client
