"""The contract of the store on two shards of two replicas each: the tests of the other files.

In one file, so that one cluster is enough.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing
from functools import partial

import msgspec
import pytest

from services.store.cluster import replication
from services.store.counts import counters, erasures, hits
from services.store.drivers.clickhouse import ClickHouseStore, ServerSession
from services.store.dumps import portable, refilling
from services.store.interface import Row, Store
from services.store.migrations import fix_partitions, migrate, migrations
from tests.contract.conftest import clear
from tests.contract.test_store import *  # noqa: F403
from tests.contract.test_store_balances import *  # noqa: F403
from tests.contract.test_store_corrections import *  # noqa: F403
from tests.contract.test_store_drift import *  # noqa: F403
from tests.contract.test_store_erasures import *  # noqa: F403
from tests.contract.test_store_erasures import DAY, write_everywhere
from tests.contract.test_store_erasures import DAY as DAY_OF_ROWS
from tests.contract.test_store_limits import *  # noqa: F403
from tests.contract.test_store_other_views import *  # type: ignore[assignment]  # noqa: F403
from tests.contract.test_store_retention import *  # noqa: F403
from tests.contract.test_store_secrets import *  # noqa: F403
from tests.contract.test_store_stream import *  # noqa: F403
from tests.contract.test_store_tables import *  # noqa: F403
from tests.contract.test_store_views import *  # noqa: F403
from tests.contract.test_store_watermarks import *  # noqa: F403
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.clickhouse_cluster import ClickHouseCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseCluster]:
    with ClickHouseCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def open_another(cluster: ClickHouseCluster) -> Callable[[], Store]:
    """Open one more store with the same tables."""
    return partial(ClickHouseStore, cluster.address)


async def test_a_site_is_on_one_shard_and_all_its_replicas(
    store: Store, cluster: ClickHouseCluster
) -> None:
    sites = [f"site{number}" for number in range(20)]
    await counters.write(
        store, {(site, "total", 0, path): (1, 1, 1) for site in sites for path in ("", "/a")}
    )
    held: Counter[str] = Counter()
    for members in cluster.shards:
        on_shard = set()
        for member in members:
            host = ClickHouseStore(member.url)
            assert await replication.lacking(host, 60) is None
            rows = await host.execute("SELECT site, count() FROM counters_local GROUP BY site")
            assert {count for _, count in rows} == {2}
            on_shard.add(frozenset(site for site, _ in rows))
            await host.close()
        (of_all_replicas,) = on_shard
        held.update(of_all_replicas)
    assert held == Counter(sites)


async def test_every_server_holds_what_is_of_all_sites(
    store: Store, cluster: ClickHouseCluster
) -> None:
    await store.insert("meta", {"name": ["a"], "version": [1], "value": ["kept"]})
    for member in cluster.members:
        host = ClickHouseStore(member.url)
        assert await replication.lacking(host, 60) is None
        assert await host.execute("SELECT value FROM meta WHERE name = 'a'") == [("kept",)]
        await host.close()


async def on_each(cluster: ClickHouseCluster, sql: str) -> list[int]:
    """Return a number from each server, once it has all that the others of its shard have."""
    found = []
    for member in cluster.members:
        host = ClickHouseStore(member.url)
        assert await replication.lacking(host, 60) is None
        ((number,),) = await host.execute(sql)
        found.append(number)
        await host.close()
    return found


async def test_months_go_and_sites_are_erased_on_every_server(
    store: Store, cluster: ClickHouseCluster
) -> None:
    sites = tuple(f"site{number}" for number in range(20))
    await write_everywhere(store, sites)
    held = "SELECT count() FROM {}"
    assert all(await on_each(cluster, held.format("counters_local")))
    assert all(await on_each(cluster, held.format("hits_local")))
    assert await hits.drop_months_before(store, DAY + 40) == [202506]
    assert not any(await on_each(cluster, held.format("hits_local")))
    await erasures.delete(store, sites)
    for table in erasures.TABLES:
        assert not any(await on_each(cluster, held.format(store.stored(table)))), table


async def test_a_migration_empties_a_table_on_every_server_without_truncate(
    cluster: ClickHouseCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = "emptied"
    made, emptied = (one for one in migrations() if one.number in (19, 20))
    store = ClickHouseStore(msgspec.structs.replace(cluster.address, database=database))
    await migrate(store, [made])
    sites = [f"site{number}" for number in range(20)]
    for day in (20_700, 20_740):
        days, numbers = [day] * len(sites), [1] * len(sites)
        await store.insert(
            "ended_days", {"site": sites, "day": days, "version": numbers, "digest": numbers}
        )
    sent: list[str] = []
    execute = ServerSession.execute

    def seen(session: ServerSession, sql: str) -> list[Row]:
        sent.append(sql)
        return execute(session, sql)

    monkeypatch.setattr(ServerSession, "execute", seen)
    await migrate(store, [made, emptied])
    assert any("ALTER TABLE ended_days_local DROP PARTITION" in sql for sql in sent)
    # In 18.16 it deadlocks with a merge, which is rarely met.
    assert not any("TRUNCATE" in sql for sql in sent)
    for host in await store.servers():
        assert await replication.lacking(host, 60) is None
        assert await host.execute("SELECT count() FROM ended_days_local") == [(0,)]
    await store.execute(f"DROP DATABASE {database} ON CLUSTER {store.address.cluster}")
    await store.close()


async def copy(of: Store, to: Store) -> dict[str, tuple[int, str]]:
    """Bring all rows of a store to another one, and return how many each file has, and a digest."""
    copied: dict[str, portable.Fingerprint] = {}
    async with aclosing(portable.dump(of)) as pieces:
        async for piece in pieces:
            if isinstance(piece, portable.Piece):
                copied.setdefault(piece.file, portable.Fingerprint()).add(piece.lines)
                await refilling.insert(to, piece.table, piece.columns, piece.lines)
    return {file: (held.rows, str(held)) for file, held in copied.items()}


async def test_a_backup_goes_from_a_server_into_a_cluster_and_back(
    store: Store, cluster: ClickHouseCluster, clickhouse_server: ClickHouseServer
) -> None:
    sites = tuple(f"site{number}" for number in range(20))
    alone = ClickHouseStore(clickhouse_server.url)
    await migrate(alone)
    await clear(alone)
    for each in (alone, store):
        # What tests before have left.
        for table in ("numbers", "values"):
            await each.execute(f"DROP TABLE IF EXISTS {table}")
    await fix_partitions(alone, 8)
    await write_everywhere(alone, sites)
    # The raw hits are what the counters have, so their visitors need not be brought along.
    await counters.write(alone, {(site, "day", DAY_OF_ROWS, ""): (1, 0, 1) for site in sites})
    columns = {"day": [20_000] * len(sites), "visitor": [7] * len(sites), "bot": [0] * len(sites)}
    await hits.count_visitors(alone, {"site": list(sites), **columns})

    brought = await copy(alone, store)
    assert brought["visitors"][0] == len(sites)
    assert await portable.tables(store) == await portable.tables(alone)
    for first, *_ in cluster.shards:
        host = ClickHouseStore(first.url)
        ((held,),) = await host.execute("SELECT uniq(site) FROM hits_local")
        assert 0 < held < len(sites)
        await host.close()

    await refilling.empty(alone, 1)
    assert await refilling.filled(alone) == []
    assert await copy(store, alone) == brought
    await refilling.empty(store, 1)
    assert await refilling.filled(store) == []
    assert await copy(alone, store) == brought
    await alone.close()
