"""The stores that the contract is tried on: a real server, and the engine in this process.

On a cluster it is tried by `test_store_cluster.py`.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from services.store.drivers.clickhouse import ClickHouseStore
from services.store.interface import Store, StoreUnavailableError
from services.store.migrations import migrate
from services.store.open import open_store
from tests.patience import rounds
from tests.servers.clickhouse import DATABASE, ClickHouseServer
from tests.servers.clickhouse_cluster import NAME


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture(scope="session")
def embedded_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"chdb://{tmp_path_factory.mktemp('chdb')}/store"


@pytest.fixture(scope="module", params=["clickhouse", "chdb"])
def open_another(request: pytest.FixtureRequest) -> Callable[[], Store]:
    """Open one more store with the same tables."""
    if request.param == "chdb":
        return partial(open_store, str(request.getfixturevalue("embedded_url")))
    server: ClickHouseServer = request.getfixturevalue("clickhouse_server")
    return partial(open_store, server.url)


@pytest.fixture(scope="session")
def made() -> set[tuple[object, ...]]:
    """The schemas that were made in this run, as they were when they were new."""
    return set()


@pytest.fixture(scope="module")
def opened_store(
    open_another: Callable[[], Store], made: set[tuple[object, ...]]
) -> Iterator[Store]:
    """One store for the tests of a module; a store belongs to no event loop."""
    store = open_another()
    try:
        asyncio.run(_begin(store, made))
        yield store
    finally:
        asyncio.run(store.close())


@pytest.fixture
async def store(opened_store: Store) -> Store:
    """A store with the schema and without a row."""
    await clear(opened_store)
    return opened_store


async def empty(store: Store) -> None:
    """Drop every table, whatever a test before has left."""
    await store.prepare()
    if is_sharded(store):
        # As many statements as there are tables would take minutes.
        await store.execute(f"DROP DATABASE IF EXISTS {DATABASE} ON CLUSTER {NAME}")
        await store.prepare()
        return
    for (table,) in await store.execute("SHOW TABLES"):
        await store.execute(f"DROP TABLE IF EXISTS {table}")


def is_sharded(store: Store) -> bool:
    return store.stored("hits") != "hits"


async def merge(store: Store, table: str) -> None:
    """Have the parts of a table merged, wherever they are."""
    if not isinstance(store, ClickHouseStore) or not is_sharded(store):
        await store.execute(f"OPTIMIZE TABLE {table} FINAL")
        return
    # Version 18.16 cannot wait for a merge that has nothing to do.
    settings = {"replication_alter_partitions_sync": 0}
    for address in [host.address for host in store.by_host()]:
        host = ClickHouseStore(address, settings=settings)
        for _ in rounds(0.2):
            await host.execute(f"OPTIMIZE TABLE {store.stored(table)} FINAL")
            if await _is_merged(host, store.stored(table)):
                break
            await asyncio.sleep(0.2)
        await host.close()


async def _is_merged(host: Store, table: str) -> bool:
    """Tell whether each partition of a table is one part on a host."""
    of_table = f"active AND database = currentDatabase() AND table = '{table}'"
    sql = f"SELECT partition FROM system.parts WHERE {of_table} GROUP BY partition"
    return not await host.execute(f"{sql} HAVING count() > 1")


async def _begin(store: Store, made: set[tuple[object, ...]]) -> None:
    """Make the schema, unless it stands as it was made for the tests of a file before."""
    if await _schema(store) not in made:
        await empty(store)
        await migrate(store)
        made.add(await _schema(store))
    await clear(store)


async def clear(store: Store) -> None:
    """Leave no row. To empty all forty tables takes longer than most tests; few have a row."""
    written = await store.execute(
        f"SELECT DISTINCT table FROM {store.system('parts')}"
        " WHERE database = currentDatabase() AND active AND table != 'migrations'"
    )
    for (table,) in written:
        await clear_table(store, store.shown(table))


async def clear_table(store: Store, table: str) -> None:
    """Leave no row in a table, also where its replicas have just changed who leads."""
    for _ in rounds(0.5):
        try:
            await store.clear(table)
        except StoreUnavailableError:
            await asyncio.sleep(0.5)
        else:
            return
    await store.clear(table)


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
