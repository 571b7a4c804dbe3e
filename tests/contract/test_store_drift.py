"""The recount finds what is wrong in the counters, on both stores, and nothing else."""

import pytest
from prometheus_client import REGISTRY

from services.aggregator import drift as watch
from services.aggregator.flush import Flusher
from services.aggregator.fold import PartitionFold
from services.log.batch import decode, encode
from services.model.hit import Hit
from services.model.partition import partition_of
from services.store.counts import counters
from services.store.counts.drift import Difference, pages, periods, recount
from services.store.interface import Store

DAY = 20_254
START = DAY * 86_400_000
PARTITIONS = 8
MYTHO = partition_of("mytho", PARTITIONS)
TODAY = ("mytho", "day", DAY, "")


def hit(visitor: int, path: str = "/", day: int = DAY, bot: bool = False) -> Hit:
    return Hit(site="mytho", path=path, at=START + visitor, day=day, visitor=visitor, bot=bot)


class Partition:
    """Folds and flushes batches as the aggregator does."""

    def __init__(self, store: Store) -> None:
        self.fold = PartitionFold(MYTHO)
        self.flusher = Flusher(store, 1000)
        self.ms = START

    async def take(self, *hits: Hit) -> None:
        self.ms += 1
        folded = self.fold.fold([(self.ms << 20, self.ms, decode(encode(hits)))])
        await self.flusher.flush([folded], [], [])


@pytest.fixture
async def partition(store: Store) -> Partition:
    partition = Partition(store)
    await partition.take(hit(1), hit(2, "/a"), hit(3, bot=True), hit(4, day=DAY - 1))
    await partition.take(hit(1, "/a"), hit(0), hit(5, day=DAY - 30))
    return partition


async def found(store: Store) -> list[Difference]:
    return [
        *await recount(store, PARTITIONS, DAY - 1),
        *await pages(store, DAY - 1),
        *await periods(store),
    ]


async def test_counters_that_are_right_show_no_difference(
    store: Store, partition: Partition
) -> None:
    assert await found(store) == []


async def test_a_row_that_was_tampered_with_is_named_with_both_counts(
    store: Store, partition: Partition
) -> None:
    ((views, visits, position),) = (await counters.load(store, [TODAY])).values()
    assert (views, visits) == (4, 2)
    await counters.write(store, {TODAY: (views + 5, visits - 1, position + 1)})
    wrong = Difference("mytho", "day", DAY, 9, 1, 4, 2)
    assert await recount(store, PARTITIONS, DAY - 1) == [wrong]
    assert await pages(store, DAY - 1) == [wrong]
    assert {(row.grain, row.counted_views) for row in await periods(store)} == {
        ("month", 10),
        ("year", 11),
        ("total", 11),
    }
    assert str(wrong) == ("mytho, day of 2025-06-15: 9 views and 1 visits, recounted 4 and 2")
    assert await recount(store, PARTITIONS, DAY + 1) == []


async def test_a_counter_row_that_was_lost_is_named(store: Store, partition: Partition) -> None:
    await store.clear("counters")
    rest = {("mytho", "total", 0, ""): (7, 4, partition.ms << 20)}
    await counters.write(store, rest)
    assert {(row.start, row.views, row.counted_views) for row in await found(store)} >= {
        (DAY, 0, 4),
        (DAY - 1, 0, 1),
    }


async def test_raw_hits_that_are_not_in_the_counters_yet_are_no_difference(
    store: Store, partition: Partition
) -> None:
    later = partition.fold.fold(
        [(partition.ms + 1 << 20, partition.ms + 1, decode(encode([hit(9)])))]
    )
    await partition.flusher._write_hits([later])
    assert await found(store) == []


async def test_raw_hits_written_twice_are_no_difference(store: Store, partition: Partition) -> None:
    names = [row[0] for row in await store.execute("DESCRIBE TABLE hits")]
    rows = await store.execute(f"SELECT {', '.join(names)} FROM hits WHERE day >= '2025-06-14'")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    assert len(rows) > 3
    await store.insert("hits", columns)
    assert await found(store) == []


async def test_only_the_partitions_asked_for_are_recounted(
    store: Store, partition: Partition
) -> None:
    await counters.write(store, {TODAY: (99, 2, (partition.ms << 20) + 1)})
    others = {number for number in range(PARTITIONS) if number != MYTHO}
    assert await recount(store, PARTITIONS, DAY - 1, others) == []
    assert len(await recount(store, PARTITIONS, DAY - 1, {MYTHO})) == 1


def metric(measure: str) -> float | None:
    labels = {"partition": str(MYTHO), "measure": measure}
    return REGISTRY.get_sample_value("luot_drift", labels)


async def test_the_metric_tells_by_how_much_the_counters_are_wrong(
    store: Store, partition: Partition, caplog: pytest.LogCaptureFixture
) -> None:
    now = START / 1000 + 60
    await watch.measure(store, PARTITIONS, {MYTHO}, now)
    assert (metric("views"), metric("visits")) == (0, 0)
    await counters.write(store, {TODAY: (1, 3, (partition.ms << 20) + 1)})
    await watch.measure(store, PARTITIONS, {MYTHO}, now)
    assert (metric("views"), metric("visits")) == (3, 1)
    assert "mytho, day of 2025-06-15: 1 views and 3 visits, recounted 4 and 2" in caplog.text
    assert REGISTRY.get_sample_value("luot_last_recount_timestamp_seconds") == now
