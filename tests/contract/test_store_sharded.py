"""One server of each shard is read and written; a flush that reached one shard is made whole."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest

from services.aggregator import erasing
from services.aggregator.flush import Flusher
from services.aggregator.fold import Folded, PartitionFold
from services.aggregator.watermarks import ShardWatermarks
from services.doctor import store as doctor
from services.doctor.check import Findings
from services.log.batch import decode, encode
from services.log.drivers.memory import MemoryLog
from services.log.memory.server import SERVERS
from services.log.written_number import written_number
from services.model.downloads import downloads_of
from services.model.hit import Hit
from services.model.partition import partition_of
from services.store.cluster import layout, replication
from services.store.cluster.layout import LayoutError, ShardLayout
from services.store.cluster.sharded import LagOf, ShardedStore
from services.store.counts import counters, drift, erasures, hits
from services.store.counts.counters import CounterKey
from services.store.counts.erasures import Erasure, ErasureState
from services.store.drivers.clickhouse import ClickHouseStore
from services.store.dumps import portable, refilling
from services.store.interface import Store, StoreError, StoreUnavailableError
from services.store.migrations import fix_partitions
from services.store.open import open_sharded, open_store, open_whole
from tests.contract.conftest import clear
from tests.servers.clickhouse_cluster import ClickHouseCluster, ClusterMember

PARTITIONS = 8
NOW_MS = 1_790_000_000_000
DAY = 20_717
LAYOUT = ShardLayout((1, 1), ((), ()))


def two_sites() -> tuple[str, str]:
    """Return two sites of one partition that are on the first and the second shard."""
    names = [f"site{number}" for number in range(1000)]
    names = [name for name in names if partition_of(name, PARTITIONS) == 3]
    first, second = (
        next(name for name in names if LAYOUT.shard_of(name) == shard) for shard in (0, 1)
    )
    return first, second


SITES = two_sites()


def key(site: str) -> CounterKey:
    return (site, "total", 0, "")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseCluster]:
    with ClickHouseCluster(tmp_path_factory.mktemp("sharded")) as cluster:
        asyncio.run(cluster.migrate())
        yield cluster


class Worker:
    """An aggregator's store, and its flusher; another one has the same log."""

    def __init__(self, cluster: ClickHouseCluster, lag_of: LagOf | None = None) -> None:
        log = MemoryLog("memory://sharded", partitions=PARTITIONS, group="luot", answer_seconds=1)
        self.positions = log.positions
        self.marks = ShardWatermarks(log.positions, PARTITIONS)
        self.store: ShardedStore = open_sharded(cluster.url, lag_of or self.marks.lag_of)
        self._flusher = Flusher(self.store, 1000, self.marks)
        self._fold = PartitionFold(partition_of(SITES[0], PARTITIONS))
        self._folded: dict[int, Folded] = {}

    async def flush(self, position: int, *, replayed: bool = False) -> None:
        """Write an entry with a view of each site, once; it is folded once, however often."""
        if position not in self._folded:
            views = [
                Hit(site=site, path="/a", at=NOW_MS, day=DAY, visitor=position) for site in SITES
            ]
            run = [(position, NOW_MS, decode(encode(views)))]
            self._folded[position] = self._fold.fold(run)
        folded = [self._folded[position]]
        fresh, again = ([], folded) if replayed else (folded, [])
        rows = self._flusher._rows_of({self._fold.partition: folded[0]})
        await self._flusher._flush(fresh, again, [], rows)

    async def views(self) -> list[int]:
        rows = await counters.load(self.store, list(map(key, SITES)))
        return [rows.get(key(site), counters.ABSENT)[0] for site in SITES]


@pytest.fixture
async def worker(cluster: ClickHouseCluster) -> AsyncIterator[Worker]:
    cluster.start()  # What the test before has killed.
    for member in cluster.members:
        host = ClickHouseStore(member.url)
        await host.execute("SYSTEM START FETCHES")
        assert await replication.lacking(host, 60) is None
        await host.close()
    SERVERS.pop("sharded", None)
    worker = Worker(cluster)
    await clear(worker.store)
    await fix_partitions(worker.store, PARTITIONS)
    await worker.store.fix_shards()
    yield worker
    await worker.store.close()


async def of_member(member: ClusterMember, sql: str) -> list[tuple[object, ...]]:
    host = ClickHouseStore(member.url)
    try:
        return await host.execute(sql)
    finally:
        await host.close()


async def test_rows_are_where_the_servers_look_for_them(
    worker: Worker, cluster: ClickHouseCluster
) -> None:
    sites = [f"tỉnh-{number}" for number in range(40)] + ["mytho", ""]
    rows = {(site, "total", 0, path): (1, 1, 1) for site in sites for path in ("", "/a")}
    await counters.write(worker.store, rows)
    for number, (first, *_) in enumerate(cluster.shards):
        held = await of_member(
            first, "SELECT DISTINCT site, toUInt8(cityHash64(site) % 2) FROM counters_local"
        )
        assert {shard for _, shard in held} == {number}
        assert {site for site, _ in held} == {s for s in sites if LAYOUT.shard_of(s) == number}
    assert await counters.load(worker.store, list(rows)) == rows
    everywhere = open_store(cluster.url)
    assert await counters.load(everywhere, list(rows)) == rows
    await everywhere.close()


async def test_a_flush_that_reached_one_shard_adds_what_the_other_lacks(
    worker: Worker, cluster: ClickHouseCluster
) -> None:
    await worker.flush(1)
    for member in cluster.shards[1]:
        member.kill()
    with pytest.raises(StoreUnavailableError):
        await worker.flush(2)
    held = "SELECT uniqExact(position) FROM hits_local"
    assert await of_member(cluster.shards[0][0], held) == [(2,)]
    # Neither is committed: whoever reads the log next folds both entries again.
    other = Worker(cluster)
    with pytest.raises(StoreUnavailableError):
        await other.flush(1, replayed=True)
    await other.store.close()
    cluster.start()
    other = Worker(cluster)
    await other.store.fix_shards()
    await other.flush(1, replayed=True)
    await other.flush(2)
    await other.flush(3)
    assert await other.views() == [3, 3]
    assert await drift.recount(other.store, PARTITIONS, DAY) == []
    assert await hits.held(other.store, SITES, 1, 3, (DAY, DAY)) == {
        (site, position): 1 for site in SITES for position in (1, 2, 3)
    }
    await other.store.close()


async def reach_one_shard(worker: Worker, position: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flush, and lose the connection to the second shard before its counters are written."""
    _, second = await worker.store.shards()
    insert = second.insert

    async def lost(table: str, columns: object) -> None:
        if table == "counters":
            raise StoreUnavailableError("the connection is lost")
        await insert(table, columns)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(second, "insert", lost)
        with pytest.raises(StoreUnavailableError, match="the connection is lost"):
            await worker.flush(position)


async def test_counters_that_reached_one_shard_are_not_added_twice(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.flush(1)
    await reach_one_shard(worker, 2, monkeypatch)
    assert await worker.views() == [2, 1]
    # In between: on one shard all hits up to its own position are counted, on the other one, too.
    assert await drift.recount(worker.store, PARTITIONS, DAY) == []
    assert await worker.positions.written(2) == {
        written_number(3, 0): 1,
        written_number(3, 1): 1,
    }


async def test_a_backup_is_as_of_what_is_on_all_shards(
    worker: Worker, cluster: ClickHouseCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.flush(1)
    await reach_one_shard(worker, 2, monkeypatch)
    whole = open_whole(cluster.url)
    async with aclosing(portable.dump(whole, {3: 2})) as messages:
        pieces = [message async for message in messages]
    end = pieces.pop()
    assert isinstance(end, portable.End)
    # The second entry is on the first shard only, so it is read again from the log.
    assert end.positions == {3: 2}
    await refilling.empty(whole, 1)
    for piece in pieces:
        if isinstance(piece, portable.Piece):
            await refilling.insert(whole, piece.table, piece.columns, piece.lines)
    other = Worker(cluster)
    await other.store.fix_shards()
    assert await other.views() == [2, 1]
    await other.flush(2)
    assert await other.views() == [2, 2]
    assert await drift.recount(other.store, PARTITIONS, DAY) == []
    await other.store.close()
    await whole.close()


async def leave_behind(
    worker: Worker, cluster: ClickHouseCluster
) -> tuple[ClusterMember, ClickHouseStore]:
    """Kill the first replica of the second shard once the other one lacks a flush.

    Return both; the other one fetches nothing until it is told to.
    """
    await worker.flush(1)
    first, second = cluster.shards[1]
    host = ClickHouseStore(second.url)
    assert await replication.lacking(host, 60) is None
    await host.execute("SYSTEM STOP FETCHES")
    await worker.flush(2)
    first.kill()
    return first, host


async def test_a_replica_that_lacks_rows_of_its_shard_is_not_used(
    worker: Worker, cluster: ClickHouseCluster
) -> None:
    first, host = await leave_behind(worker, cluster)
    problems = {one.server: one.problem for one in await worker.store.replicas()}
    assert [bool(problem) for problem in problems.values()] == [False, False, True, True]
    checks = Findings("store")
    await doctor._shards(checks, worker.store)
    (check,) = checks.checks
    assert (check.ok, check.found) == (False, "2 of 4 servers cannot be used")
    assert "replication has not brought all of" in check.advice
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            await worker.flush(3)
    with pytest.raises(StoreUnavailableError, match="replication has not brought all of"):
        await worker.views()
    await host.execute("SYSTEM START FETCHES")
    first.start()
    await worker.flush(3)
    assert await worker.views() == [3, 3]
    await host.close()


async def test_a_replica_that_is_taken_unchecked_loses_rows_for_good(
    worker: Worker, cluster: ClickHouseCluster
) -> None:
    """The experiment beside the test above: what the check is for."""

    async def unchecked(host: Store, first: bool) -> str | None:
        return None

    first, host = await leave_behind(worker, cluster)
    other = Worker(cluster, lambda _layout, _shard: unchecked)
    await other.flush(3)
    await host.execute("SYSTEM START FETCHES")
    first.start()
    assert await replication.lacking(host, 60) is None
    assert await other.views() == [3, 2]
    await other.store.close()
    await host.close()


async def test_a_replica_that_has_all_is_used_when_the_other_is_gone(
    worker: Worker, cluster: ClickHouseCluster
) -> None:
    await worker.flush(1)
    for members in cluster.shards:
        host = ClickHouseStore(members[1].url)
        assert await replication.lacking(host, 60) is None
        await host.close()
        members[0].kill()
    with pytest.raises(StoreUnavailableError):
        await worker.flush(2)
    await worker.flush(2)
    assert await worker.views() == [2, 2]


async def test_an_erased_site_with_downloads_on_another_shard_keeps_no_server_away(
    worker: Worker, cluster: ClickHouseCluster
) -> None:
    site = next(
        name
        for name in (f"xa{number}" for number in range(1000))
        if LAYOUT.shard_of(name) != LAYOUT.shard_of(downloads_of(name))
    )
    rows = {(name, "total", 0, ""): (1, 1, 5) for name in (site, downloads_of(site))}
    await counters.write(worker.store, rows)
    await worker.marks.note_sites({name: 5 for name, *_ in rows})
    await erasures.write(worker.store, [Erasure(site, site, ErasureState.TAKEN, "an admin", 1)])
    await erasing.delete(worker.store, late=False)
    assert await counters.load(worker.store, list(rows)) == {}
    other = Worker(cluster, worker.marks.lag_of)
    assert [one.problem for one in await other.store.replicas()] == [None] * 4
    await other.store.close()


async def test_a_replica_whose_parts_are_not_those_of_zookeeper_fetches_before_it_is_used(
    worker: Worker, cluster: ClickHouseCluster
) -> None:
    await worker.flush(1)
    first, second = cluster.shards[1]
    host = ClickHouseStore(second.url)
    assert await replication.lacking(host, 60) is None
    second.kill()
    # It has all rows in a part that was never committed, and lacks the one that was.
    (part,) = (second.directory / "data/data/luot/counters_local").glob("all_*")
    part.rename(part.with_name("all_9999_9999_0"))
    second.start()
    assert await replication.lacking(host, 60) is None
    held = "SELECT sum(views) FROM counters_local FINAL WHERE path = ''"
    assert await of_member(second, held) == await of_member(first, held) != [(0,)]
    await host.close()


async def test_shards_in_another_order_are_refused(
    worker: Worker, cluster: ClickHouseCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await layout.load(worker.store, "luot")
    assert known.weights == (1, 1)
    assert [len(servers) for servers in known.servers] == [2, 2]
    fixed = await layout.fixed_shards(worker.store)
    assert fixed is not None
    paths = [path for path, _ in fixed]
    await layout.fix(worker.store, known, paths)
    with pytest.raises(LayoutError, match=r"spread over the shards .*shard-0.*shard-1"):
        await layout.fix(worker.store, known, paths[::-1])

    async def swapped(_store: Store, _cluster: str) -> ShardLayout:
        return ShardLayout(known.weights, known.servers[::-1])

    with monkeypatch.context() as patched:
        patched.setattr(layout, "load", swapped)
        began = Worker(cluster)
        with pytest.raises(LayoutError, match=r"the cluster has .*shard-1.*shard-0.*same order"):
            await began.store.fix_shards()
        await began.store.close()
        await worker.flush(1)
        # As of one that began before: every server is refused as one of another shard.
        running = Worker(cluster)
        running.store._paths = paths
        with pytest.raises(StoreUnavailableError, match=r"it is of the shard .*, expected "):
            await running.flush(2)
        refused = {(one.shard, one.problem) for one in await running.store.replicas()}
        await running.store.close()
    assert refused == {
        (0, f"it is of the shard {paths[1]}, expected {paths[0]}"),
        (1, f"it is of the shard {paths[0]}, expected {paths[1]}"),
    }
    assert await layout.fixed_shards(worker.store) == fixed
    assert await worker.views() == [1, 1]
    held = await hits.held(worker.store, SITES, 1, 2, (DAY, DAY))
    assert held == {(site, 1): 1 for site in SITES}


async def test_a_cluster_that_no_server_knows_is_named(cluster: ClickHouseCluster) -> None:
    marks = ShardWatermarks(
        MemoryLog("memory://x", partitions=8, group="luot", answer_seconds=1).positions, 8
    )
    store = open_sharded(cluster.url.replace("cluster=luot", "cluster=other"), marks.lag_of)
    with pytest.raises(StoreError, match=r"knows no cluster 'other'; .cluster= in "):
        await store.execute("SELECT 1")
    await store.close()
