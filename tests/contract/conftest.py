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


@pytest.fixture(scope="session")
def made() -> set[tuple[object, ...]]:
    """The schemas that were made in this run, as they were when they were new."""
    return set()


@pytest.fixture(scope="module")
def opened_store(store_url: str, made: set[tuple[object, ...]]) -> Iterator[Store]:
    """One store for the tests of a module; a store belongs to no event loop."""
    store = open_store(store_url)
    try:
        asyncio.run(_begin(store, made))
        yield store
    finally:
        asyncio.run(store.close())


@pytest.fixture
async def store(opened_store: Store) -> Store:
    """A store with the schema and without a row."""
    await _clear(opened_store)
    return opened_store


async def empty(store: Store) -> None:
    """Drop every table, whatever a test before has left."""
    await store.prepare()
    for (table,) in await store.execute("SHOW TABLES"):
        await store.execute(f"DROP TABLE IF EXISTS {table}")


async def _begin(store: Store, made: set[tuple[object, ...]]) -> None:
    """Make the schema, unless it stands as it was made for the tests of a file before."""
    if await _schema(store) not in made:
        await empty(store)
        await migrate(store)
        made.add(await _schema(store))
    await _clear(store)


async def _clear(store: Store) -> None:
    """Leave no row. To empty all forty tables takes longer than most tests; few have a row."""
    written = await store.execute(
        "SELECT DISTINCT table FROM system.parts"
        " WHERE database = currentDatabase() AND active AND table != 'migrations'"
    )
    for (table,) in written:
        await store.execute(f"TRUNCATE TABLE {table}")


async def _schema(store: Store) -> tuple[object, ...]:
    """Return what the tables of a store are, and which migrations it has."""
    await store.prepare()
    engines = await store.execute(
        "SELECT name, engine FROM system.tables WHERE database = currentDatabase() ORDER BY name"
    )
    columns = await store.execute(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()"
        " ORDER BY table, name"
    )
    known = any(name == "migrations" for name, _ in engines)
    numbers = "SELECT DISTINCT number, name FROM migrations ORDER BY number"
    return (store.__class__, *engines, *columns, *(await store.execute(numbers) if known else ()))
