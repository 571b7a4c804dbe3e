"""The stores that the contract is tried on: a real server, and the engine in this process."""

import asyncio
from collections.abc import Iterator

import pytest

from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store
from tests.servers.clickhouse import ClickHouseServer


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture(scope="session")
def embedded_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"chdb://{tmp_path_factory.mktemp('chdb')}/store"


@pytest.fixture(scope="module", params=["clickhouse", "chdb"])
def store_url(request: pytest.FixtureRequest) -> str:
    if request.param == "chdb":
        return str(request.getfixturevalue("embedded_url"))
    server: ClickHouseServer = request.getfixturevalue("clickhouse_server")
    return server.url


@pytest.fixture(scope="module")
def opened_store(store_url: str) -> Iterator[Store]:
    """One store for the tests of a module; a store belongs to no event loop."""
    store = open_store(store_url)
    try:
        asyncio.run(_begin(store))
        yield store
    finally:
        asyncio.run(store.close())


@pytest.fixture
async def store(opened_store: Store) -> Store:
    """A store with the schema and without a row."""
    tables = await opened_store.execute(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND engine LIKE '%MergeTree' AND name != 'migrations'"
    )
    for (table,) in tables:
        await opened_store.execute(f"TRUNCATE TABLE {table}")
    return opened_store


async def empty(store: Store) -> None:
    """Drop every table, whatever a test before has left."""
    await store.prepare()
    for (table,) in await store.execute("SHOW TABLES"):
        await store.execute(f"DROP TABLE IF EXISTS {table}")


async def _begin(store: Store) -> None:
    await empty(store)
    await migrate(store)
