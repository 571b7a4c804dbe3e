"""An API on a store with three years of history, on either kind of store."""

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.model.hit import Hit
from services.state.state import State
from services.store.interface import Store
from services.store.open import open_store
from tests.integration.api.world import TOKEN, Clock, serving
from tests.integration.stats import history, prepared
from tests.integration.stats.expected import Seen, visits
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer

NOW = datetime(2024, 12, 31, 5, 30, tzinfo=UTC)
"""The same day in every zone of these sites."""


@pytest.fixture(scope="session")
def hits() -> list[Hit]:
    return history.made_up()


@pytest.fixture(scope="session")
def seen(hits: list[Hit]) -> dict[str, list[Seen]]:
    """What was seen of each site, as an independent computation has it."""
    by_site: dict[str, list[Seen]] = {site.slug: [] for site in history.SITES}
    for each in visits(hits):
        by_site[each.hit.site].append(each)
    return by_site


@pytest.fixture(scope="module", params=["chdb", "clickhouse"])
def store_url(
    request: pytest.FixtureRequest, hits: list[Hit], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A copy of a store with the history."""
    made = prepared.store(request.param, hits, tmp_path_factory)
    folder = tmp_path_factory.mktemp("stats")
    if request.param == "chdb":
        shutil.copytree(made, folder / "chdb", symlinks=True)
        yield f"chdb://{folder / 'chdb'}"
        return
    shutil.copytree(made, folder / "data", symlinks=True)
    with ClickHouseServer(folder) as server:
        yield server.url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(store_url: str) -> AsyncIterator[Store]:
    store = open_store(store_url)
    await store.prepare()
    yield store
    await store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Redis]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        async with Redis.from_url(server.url) as client:
            yield client


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock(NOW)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(store: Store, redis: Redis, clock: Clock) -> AsyncIterator[Api]:
    settings = ApiSettings.read({}, admin_token=TOKEN)
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    yield api
    await api.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(api.asgi) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


@pytest.fixture(autouse=True)
def _no_language_is_kept(request: pytest.FixtureRequest) -> Iterator[None]:
    """Forget what a test chose: it is kept in a cookie, and the client is that of a whole file."""
    yield
    if "client" in request.fixturenames:
        request.getfixturevalue("client").cookies.clear()
