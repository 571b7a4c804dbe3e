"""A replica that has the newest rows, and not all before them, is not read nor written."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from services.aggregator.watermarks import Watermarks
from services.log.drivers.memory import MemoryLog
from services.log.memory.server import SERVERS
from services.model.partition import partition_of
from services.store.cluster import replication
from services.store.cluster.one_host import OneHostStore
from services.store.counts import counters
from services.store.counts.counters import CounterKey
from services.store.drivers.clickhouse import ClickHouseStore
from services.store.dumps import portable
from services.store.interface import StoreUnavailableError
from services.store.migrations import Migration, migrate, migrations
from tests.contract.conftest import clear_table
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.clickhouse_cluster import ClickHouseCluster, replicated

PARTITIONS = 8
MYTHO: CounterKey = ("mytho", "total", 0, "")
PARTITION = partition_of("mytho", PARTITIONS)
OTHER = next(
    name
    for name in (f"site{number}" for number in range(1000))
    if partition_of(name, PARTITIONS) == PARTITION
)


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseCluster]:
    with ClickHouseCluster(tmp_path_factory.mktemp("replicas"), shards=1) as cluster:
        asyncio.run(_make(cluster))
        yield cluster


async def _make(cluster: ClickHouseCluster) -> None:
    """Make the tables on both, a migration at a time: a table's replicas have the same columns."""
    known = [
        Migration(one.number, one.name, tuple(map(replicated, one.statements)))
        for one in migrations()
    ]
    stores = [ClickHouseStore(member.url) for member in cluster.members]
    for number in range(len(known)):
        for store in stores:
            await migrate(store, known[: number + 1])
            assert await replication.lacking(store, 60) is None
    for store in stores:
        await store.close()


class Pair:
    """Both replicas, and what the log knows of what was written."""

    def __init__(self, cluster: ClickHouseCluster) -> None:
        self.cluster = cluster
        self.members = cluster.members
        self.first, self.second = (
            ClickHouseStore(member.url, answer_seconds=10) for member in self.members
        )
        SERVERS.pop("replicas", None)
        log = MemoryLog("memory://replicas", partitions=PARTITIONS, group="luot", answer_seconds=1)
        self.watermarks = Watermarks(log.positions, PARTITIONS)

    async def begin(self) -> None:
        """Leave no row, on neither of them."""
        for store in (self.first, self.second):
            await store.execute("SYSTEM START FETCHES")
        assert await replication.lacking(self.second, 60) is None
        for table in ("counters", "erasures"):
            await clear_table(self.first, table)
        assert await replication.lacking(self.second, 60) is None

    async def write(self, store: ClickHouseStore, site: str, views: int, position: int) -> None:
        """Write a row as the aggregator does."""
        await counters.write(store, {(site, *MYTHO[1:]): (views, views, position)})
        await self.watermarks.note({PARTITION: position})

    async def make_a_hole(self) -> None:
        """Have the second lack a row, and hold the newest of its partition."""
        await self.write(self.first, "mytho", 5, 1)
        assert await replication.lacking(self.second, 60) is None
        await self.second.execute("SYSTEM STOP FETCHES")
        await self.write(self.first, "mytho", 9, 2)
        await self.write(self.second, OTHER, 1, 3)
        assert await counters.load(self.second, [MYTHO]) == {MYTHO: (5, 5, 1)}

    async def lag(self) -> str | None:
        return await self.watermarks.lag(self.second, False)

    async def close(self) -> None:
        self.cluster.start()
        for store in (self.first, self.second):
            await store.close()


@pytest.fixture
async def pair(replicas: ClickHouseCluster) -> AsyncIterator[Pair]:
    pair = Pair(replicas)
    await pair.begin()
    yield pair
    await pair.close()


async def test_a_replica_with_the_newest_rows_and_not_all_before_them_lags(pair: Pair) -> None:
    await pair.make_a_hole()
    assert await pair.lag() == "it lags: replication has not brought all of counters"
    await pair.second.execute("SYSTEM START FETCHES")
    assert await replication.lacking(pair.second, 60) is None
    assert await pair.lag() is None
    assert await counters.load(pair.second, [MYTHO]) == {MYTHO: (9, 9, 2)}


async def test_hits_wait_while_the_only_host_with_a_row_is_gone(pair: Pair) -> None:
    store = OneHostStore([pair.first, pair.second], pair.watermarks.lag)
    assert await counters.load(store, [MYTHO]) == {}
    await pair.make_a_hole()
    pair.members[0].kill()
    await pair.second.execute("SYSTEM START FETCHES")
    with pytest.raises(StoreUnavailableError):
        await counters.load(store, [MYTHO])
    with pytest.raises(StoreUnavailableError, match="replication has not brought all of counters"):
        await counters.load(store, [MYTHO])
    pair.members[0].start()
    assert await counters.load(store, [MYTHO]) == {MYTHO: (9, 9, 2)}


async def test_a_host_without_its_zookeeper_is_not_used(pair: Pair) -> None:
    await pair.write(pair.first, "mytho", 5, 1)
    assert await replication.lacking(pair.second, 60) is None
    assert await pair.lag() is None
    pair.cluster.zookeeper.kill()
    assert await pair.lag() is not None
    pair.cluster.zookeeper.start()
    assert await replication.lacking(pair.second, 60) is None


async def test_a_backup_of_a_replica_has_the_tables_that_one_of_a_server_has(
    pair: Pair, clickhouse_server: ClickHouseServer
) -> None:
    alone = ClickHouseStore(clickhouse_server.url)
    await migrate(alone)
    assert await portable.tables(pair.first) == await portable.tables(alone) != []
    await alone.close()
