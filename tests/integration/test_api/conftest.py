"""An API on an embedded store, or on a server, and a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.app import Api
from services.api.counter import cache
from services.api.settings import ApiSettings
from services.state import last_shown, online
from services.state.state import State
from services.store import sites
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store
from tests.integration.test_api.world import HANOI, SITE, TOKEN, Clock, serving
from tests.patience import PATIENCE_SECONDS
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer, valkey_program

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


@pytest_asyncio.fixture(loop_scope="module")
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_server.url) as client:
        await client.flushall()
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(store_url: str) -> AsyncIterator[Store]:
    store = open_store(store_url)
    await migrate(store)
    yield store
    await store.close()


@pytest_asyncio.fixture(loop_scope="module")
async def store(opened: Store) -> Store:
    """A store with one site and no counts."""
    tables = ("counters", "hits", "opening_balances", "peaks", "sites", "visitors")
    corrections = ("corrections", "correction_entries", "corrected_hits", "moved_visits")
    more = ("users", "tokens", "audit", "imports", "peak_resets", "returned_views")
    others = ("import_counts", "erasures", "share_links", "annotations")
    for table in (*tables, *corrections, *more, *others):
        await opened.execute(f"TRUNCATE TABLE {table}")
    await sites.save(opened, SITE, 1)
    return opened


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2024, 1, 3, 12, 0, tzinfo=HANOI))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the API wait for stores that are slow because the machine is busy."""
    monkeypatch.setattr(last_shown, "SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(online, "_READ_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(cache, "GIVE_UP_SECONDS", PATIENCE_SECONDS)


@pytest_asyncio.fixture(loop_scope="module")
async def api(
    store: Store, redis: Redis, redis_server: RedisServer, clock: Clock, patient: None
) -> AsyncIterator[Api]:
    settings = ApiSettings.read({}, admin_token=TOKEN, redis_url=redis_server.url)
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    # On a busy machine a store may be slow to answer at first.
    await asyncio.wait_for(api.opened(), PATIENCE_SECONDS)
    yield api
    await api.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(api.asgi) as client:
        yield client
