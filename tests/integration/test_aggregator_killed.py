"""The aggregator is killed in the middle of 100,000 hits, five times; the counters are exact."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from redis.asyncio import Redis

from services.log.batch import MAX_HITS
from services.log.entries import Batcher
from services.log.open import open_log
from services.log.redis import entry_ids
from services.model.calendar import local_day
from services.model.hit import Hit
from services.store.interface import Store
from services.store.open import open_store
from tests.noon import zone_at_noon
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer
from tests.servers.services import Service

HITS = 100_000
KILLS = 5
ZONE = zone_at_noon()


@pytest.fixture(params=["clickhouse", "chdb"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "chdb":
        yield f"chdb://{tmp_path}/chdb"
        return
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        yield server.url


class Books:
    """What was appended, counted by a few lines of plain Python."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.views: Counter[tuple[str, str]] = Counter()
        self.visits: Counter[str] = Counter()
        self._seen: set[tuple[str, int]] = set()

    def hits(self) -> list[Hit]:
        now = time.time_ns() // 1_000_000
        return [self._hit(now) for _ in range(MAX_HITS)]

    def _hit(self, now: int) -> Hit:
        site = f"site-{self.random.randrange(30)}"
        path = f"/tin-tuc/{int(self.random.paretovariate(0.8)) % 300}"
        visitor = self.random.randrange(1, 3000)
        bot = self.random.random() < 0.05
        if not bot:
            self.views[site, path] += 1
            # The whole test is shorter than a visit's window, so a visitor makes one visit.
            if (site, visitor) not in self._seen:
                self._seen.add((site, visitor))
                self.visits[site] += 1
        return Hit(site=site, path=path, at=now, day=local_day(now, ZONE), visitor=visitor, bot=bot)


async def append(url: str, books: Books, pause: float) -> None:
    log = open_log(url)
    producer, batcher = log.producer(), Batcher(8)
    for _ in range(HITS // MAX_HITS):
        await producer.append(batcher.prepare(books.hits()))
        await asyncio.sleep(pause)
    await producer.close()
    await log.close()


async def kill_at_random(service: Service, seed: int) -> None:
    moments = random.Random(seed)
    for _ in range(KILLS):
        await asyncio.sleep(moments.uniform(0.1, 1.5))
        service.kill()
        await asyncio.to_thread(service.start)


async def folded(url: str) -> None:
    """Wait until everything that is in the log was committed."""
    redis = Redis.from_url(url)
    async with asyncio.timeout(600):
        while True:
            behind = 0
            for partition in range(8):
                last = await redis.xrevrange(f"hits:{{{partition}}}", count=1)
                committed = await redis.hget("hits:commits:luot", str(partition))
                if last:
                    behind += int(committed or 0) <= entry_ids.of_entry(cast("bytes", last[0][0]))
            if not behind:
                break
            await asyncio.sleep(0.2)
    await redis.aclose()


async def rows(store: Store, sql: str) -> dict[tuple[str, ...], int]:
    return {tuple(key): value for *key, value in await store.execute(sql)}


@pytest.mark.timeout(900)
def test_five_kills_in_the_middle_of_100_000_hits_lose_and_double_nothing(
    redis_server: RedisServer, store_url: str, tmp_path: Path, record_seed: Callable[[], int]
) -> None:
    seed = record_seed()
    books = Books(seed)
    aggregator = Service(
        "aggregator",
        tmp_path,
        LUOT_REDIS_URL=redis_server.url,
        LUOT_CLICKHOUSE_URL=store_url,
        LUOT_LEASE_SECONDS="1",
        LUOT_FLUSH_HITS="10000",
        # One of each: the embedded store gets what the fold in C writes in tests of `luot up`.
        LUOT_FOLD="python" if store_url.startswith("chdb") else "auto",
    ).start()

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(append(redis_server.url, books, pause=0.08))
            group.create_task(kill_at_random(aggregator, seed))
        await folded(redis_server.url)

    asyncio.run(run())
    assert aggregator.stop() == 0

    async def counted() -> None:
        store = open_store(store_url)
        by_path = await rows(
            store,
            "SELECT site, path, argMax(views, position) FROM counters"
            " WHERE grain = 'total' AND path != '' GROUP BY site, path",
        )
        assert by_path == dict(books.views)
        for grain in ("day", "month", "year", "total"):
            of_site = await store.execute(
                "SELECT site, sum(views), sum(visits) FROM (SELECT site, start,"
                " argMax(views, position) AS views, argMax(visits, position) AS visits"
                f" FROM counters WHERE grain = '{grain}' AND path = '' GROUP BY site, start)"
                " GROUP BY site"
            )
            expected: Counter[str] = Counter()
            for (site, _), views in books.views.items():
                expected[site] += views
            assert {site: views for site, views, _ in of_site} == dict(expected)
            assert {site: visits for site, _, visits in of_site} == dict(books.visits)
        raw = await store.execute("SELECT count(), sum(bot = 0) FROM hits FINAL")
        assert raw == [(HITS, books.views.total())]
        await store.close()

    asyncio.run(counted())
