"""A large spool is drained while the aggregator was away: its memory stays within bounds."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.log.batch import MAX_HITS
from services.log.entries import Batcher
from services.log.open import open_log
from services.model.calendar import local_day
from services.model.hit import Hit
from services.store.open import open_store
from tests.attack.limits import memory_limits
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.memory import peak
from tests.servers.redis import RedisServer
from tests.servers.services import Service

HITS = 500_000
SITES = 8
PATHS = 5_000
"""Of each site, with long names, as somebody invents them."""
SPOOLED_MS = 20 * 60_000
LIMIT = memory_limits()["aggregator"]
"""What the compose file gives it."""
ZONE = "Asia/Ho_Chi_Minh"


@pytest.fixture
def clickhouse(tmp_path: Path) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        yield server


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    # What is tested is the aggregator: no time is spent on making the log durable.
    with RedisServer(tmp_path / "redis", None, "--appendonly", "no") as server:
        yield server


def text(chance: random.Random, length: int) -> str:
    return f"{chance.getrandbits(4 * length):x}"


async def fill(url: str) -> Counter[str]:
    """Append hits of readers who came once each; return the views of each site."""
    chance = random.Random(1)
    hosts = [text(chance, 200) for _ in range(50)]
    sources = [text(chance, 100) for _ in range(500)]
    paths = [f"/{text(chance, 300)}" for _ in range(PATHS)]
    views: Counter[str] = Counter()
    now = time.time_ns() // 1_000_000 - SPOOLED_MS

    def hit(site: str) -> Hit:
        views[site] += 1
        return Hit(
            site=site,
            path=f"/{site}{chance.choice(paths)}",
            at=now,
            day=local_day(now, ZONE),
            visitor=chance.getrandbits(63) + 1,
            view_id=chance.getrandbits(63) + 1,
            host=chance.choice(hosts),
            source=chance.choice(sources),
        )

    log = open_log(url)
    producer, batcher = log.producer(), Batcher(8)
    for number in range(HITS // MAX_HITS):
        site = f"site-{number % SITES}"
        await producer.append(batcher.prepare([hit(site) for _ in range(MAX_HITS)]))
    await producer.close()
    await log.close()
    return views


@pytest.mark.timeout(1200)
async def test_a_large_spool_is_counted_within_a_limit_of_memory(
    redis: RedisServer, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    views = await fill(redis.url)
    urls = {"LUOT_CLICKHOUSE_URL": clickhouse.url, "LUOT_REDIS_URL": redis.url}
    service = Service("aggregator", tmp_path, **urls).start()
    store = open_store(clickhouse.url)
    try:
        before = peak(service.pid)
        deadline = time.monotonic() + 500
        while True:
            rows = await store.execute(
                "SELECT site, argMax(views, position) FROM counters"
                " WHERE grain = 'total' AND path = '' GROUP BY site"
            )
            if dict(rows) == views:
                break
            assert time.monotonic() < deadline, rows
            await asyncio.sleep(0.2)
        most = peak(service.pid)
        assert most < LIMIT, f"{before >> 20} MB, then {most >> 20} MB"
    finally:
        await store.close()
        service.stop()
