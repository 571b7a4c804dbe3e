"""The only aggregator is killed, and the next one goes on from the kept folds; books are exact."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import cast

import httpx
import msgspec
import pytest
from redis import Redis

from services.log.batch import MAX_HITS
from services.log.entries import Batcher
from services.log.interface import LogProducer
from services.log.open import open_log
from services.state import keys
from services.state.kept_folds import decode, encode
from services.store.open import open_store
from tests.integration.test_aggregator_killed import Books, folded, rows
from tests.patience import PATIENCE_SECONDS
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.metrics import Scrape
from tests.servers.redis import RedisServer
from tests.servers.services import Service

GROUP = "luot"
PARTITIONS = 8
BEFORE = 100
"""Times that MAX_HITS hits, over all partitions, are appended before the folds are kept."""
AFTER = 20
"""The same while the aggregator is killed."""


async def append(producer: LogProducer, batcher: Batcher, books: Books, times: int) -> Counter[int]:
    """Append hits; return the number of entries by partition."""
    entries: Counter[int] = Counter()
    for _ in range(times):
        batch = batcher.prepare(books.hits())
        entries.update(entry.partition for entry in batch)
        await producer.append(batch)
    return entries


def wait_until_kept(redis: Redis) -> None:
    """Wait until all that is committed is in the kept folds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        committed = cast("dict[bytes, bytes]", redis.hgetall(f"hits:commits:{GROUP}"))
        positions = {}
        for partition in range(PARTITIONS):
            written = cast("bytes | None", redis.get(keys.kept_fold(GROUP, partition)))
            kept = decode(written) if written else None
            positions[str(partition).encode()] = b"%d" % (kept.position + 1 if kept else 0)
        if positions == committed:
            return
        assert time.monotonic() < deadline, (positions, committed)
        time.sleep(0.2)


def damage(redis: Redis) -> None:
    for partition in range(PARTITIONS):
        redis.setrange(keys.kept_fold(GROUP, partition), 20, b"another")


def changed(**fields: object) -> Callable[[Redis], None]:
    """Return what changes fields of all that is kept."""

    def change(redis: Redis) -> None:
        for partition in range(PARTITIONS):
            key = keys.kept_fold(GROUP, partition)
            kept = decode(cast("bytes", redis.get(key)))
            assert kept is not None
            redis.set(key, encode(msgspec.structs.replace(kept, **fields)) or b"")

    return change


def kept_of(redis: Redis) -> list[bytes | None]:
    """Return what is kept, by partition."""
    found = (redis.get(keys.kept_fold(GROUP, partition)) for partition in range(PARTITIONS))
    return [cast("bytes | None", written) for written in found]


def lose(redis: Redis) -> None:
    for partition in range(PARTITIONS):
        redis.delete(keys.kept_fold(GROUP, partition))


def leave(redis: Redis) -> None:
    """Change nothing."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("happens", "start", "fold"),
    [
        pytest.param(leave, "kept", "auto", id="kept"),
        pytest.param(leave, "kept", "python", id="in_python"),
        pytest.param(damage, "damaged", "auto", id="damaged"),
        pytest.param(changed(state=b"another"), "damaged", "auto", id="state"),
        pytest.param(lose, "nothing_kept", "auto", id="lost"),
        pytest.param(changed(maker="0.0.1"), "other_version", "auto", id="version"),
        pytest.param(changed(log="another"), "other_log", "auto", id="log"),
        pytest.param(changed(started=1_000_000_000), "store_restarted", "auto", id="restarted"),
        pytest.param(changed(store="another"), "store_restarted", "auto", id="store"),
        pytest.param(changed(position=1), "position", "auto", id="trimmed"),
        pytest.param(changed(position=(1 << 63) - 1), "position", "auto", id="ahead"),
    ],
)
def test_a_killed_aggregator_reads_two_windows_again_only_without_kept_folds(
    redis_server: RedisServer,
    tmp_path: Path,
    record_seed: Callable[[], int],
    happens: Callable[[Redis], None],
    start: str,
    fold: str,
) -> None:
    books = Books(record_seed())
    redis = Redis.from_url(redis_server.url)
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        aggregator = Service(
            "aggregator",
            tmp_path,
            LUOT_REDIS_URL=redis_server.url,
            LUOT_CLICKHOUSE_URL=server.url,
            LUOT_LEASE_SECONDS="1",
            LUOT_FOLD=fold,
        ).start()

        async def run() -> tuple[int, int]:
            log = open_log(redis_server.url)
            producer, batcher = log.producer(), Batcher(PARTITIONS)
            before = await append(producer, batcher, books, BEFORE)
            assert len(before) == PARTITIONS
            await folded(redis_server.url)
            await asyncio.to_thread(wait_until_kept, redis)
            after = await append(producer, batcher, books, AFTER // 2)
            aggregator.kill()
            happens(redis)
            doubted = kept_of(redis)
            after += await append(producer, batcher, books, AFTER // 2)
            await asyncio.to_thread(aggregator.start)
            await folded(redis_server.url)
            if start not in ("kept", "nothing_kept"):
                # What was refused once must not be believed when the commit has passed it.
                pairs = zip(kept_of(redis), doubted, strict=True)
                assert all(now != refused for now, refused in pairs)
            await producer.close()
            await log.close()
            return before.total(), after.total()

        before, after = asyncio.run(run())
        metrics = Scrape(httpx.get(f"{aggregator.url}/metrics").text)
        assert metrics.value("luot_taken_partitions_total", start=start) == PARTITIONS
        replayed = metrics.value("luot_replayed_batches_total")
        # Counted in entries of the log: what was kept is not read again.
        assert replayed <= after if start == "kept" else replayed >= before
        assert aggregator.stop() == 0
        asyncio.run(compare(server.url, books))
    redis.close()


async def compare(url: str, books: Books) -> None:
    """Compare the numbers of the store with what was appended."""
    store = open_store(url)
    latest = "SELECT {} FROM counters WHERE grain = 'total' AND path {} '' GROUP BY {}"
    paths = latest.format("site, path, argMax(views, position)", "!=", "site, path")
    assert await rows(store, paths) == dict(books.views)
    sites = latest.format("site, argMax(visits, position)", "=", "site")
    assert await rows(store, sites) == {(site,): visits for site, visits in books.visits.items()}
    raw = await store.execute("SELECT count(), sum(bot = 0) FROM hits FINAL")
    assert raw == [((BEFORE + AFTER) * MAX_HITS, books.views.total())]
    await store.close()
