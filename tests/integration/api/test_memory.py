"""What strangers ask for fills no memory: an API process, asked for thousands of invented pages."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from yarl import URL

from services.model.calendar import EPOCH, to_day
from services.state import keys
from services.store.migrations import migrate
from services.store.open import open_store
from services.store.records import sites
from tests.integration.api.world import SITE, write_counter
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.memory import peak
from tests.servers.redis import RedisServer
from tests.servers.services import Service

REQUESTS = 3_000
AT_ONCE = 24
COUNTED = 6_000
"""Pages with long names that were viewed once; anybody can view pages that are not there."""
LIMIT = 200 << 20
"""Of 216 MB that the compose file gives the API."""
GROWTH = 90 << 20
IN_REDIS = 8 << 20
ARTICLE = "/bai-viet/1"
pytestmark = pytest.mark.asyncio(loop_scope="module")


def counted_path(number: int) -> str:
    return f"/{number}/".ljust(500, "p")


class Stranger:
    """Asks for what nobody has asked for before, in every form that a request can have."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._forms = (
            lambda: f"/api/counter/mytho?{self._paths(100, 200)}",
            lambda: f"/api/counter/mytho?{self._paths(15, 2000)}",
            lambda: f"/api/counter/mytho?{self._paths(60, 480)}&metric=views",
            # One such letter makes every other one of a text take four bytes.
            lambda: f"/api/counter/mytho?{self._paths(60, 480, '😀')}&metric=visitors",
            lambda: f"/api/counter/mytho?{self._counted()}",
            lambda: f"/counter/mytho.svg?path={self._path(2000)}&heading={self._text(40)}",
            lambda: f"/counter/mytho.html?{'label-total=' + self._text(30)}",
            lambda: f"/counter/mytho.txt?path={self._path(1500, '😀')}",
            lambda: f"/api/counter/{self._text(60)}?x={self._text(30_000)}",
            lambda: f"/api/top/{self._text(3000)}?limit=50",
            lambda: f"/api/v1/stats/aggregate?site_id={self._text(20_000)}",
            lambda: f"/admin/sites/{self._text(20_000)}",
            lambda: f"/v{self._text(5)}/counter.js?{self._text(8000)}",
        )

    def ask(self) -> tuple[str, dict[str, str]]:
        """Return an address, and headers."""
        headers = {"If-None-Match": f'W/"{self._text(2000)}"', "Cookie": f"luot={self._text(2000)}"}
        return self._chance.choice(self._forms)(), headers

    def _text(self, length: int) -> str:
        return self._chance.randbytes(length // 2 + 1).hex()[:length]

    def _path(self, length: int, begin: str = "") -> str:
        return quote(f"/{begin}{self._text(length)}"[:length])

    def _paths(self, count: int, length: int, begin: str = "") -> str:
        return "&".join(f"path={self._path(length, begin)}" for _ in range(count))

    def _counted(self) -> str:
        numbers = self._chance.sample(range(COUNTED), 50)
        return "&".join(f"path={counted_path(number)}" for number in numbers)


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def service(
    clickhouse: ClickHouseServer, redis_server: RedisServer, tmp_path: Path
) -> AsyncIterator[Service]:
    store = open_store(clickhouse.url)
    await migrate(store)
    await sites.save(store, SITE, 1)
    await write_counter(store, "mytho", "total", EPOCH, 100)
    await write_counter(store, "mytho", "total", EPOCH, 0, views=445, path=ARTICLE)
    await store.insert(
        "counters",
        {
            "site": ["mytho"] * COUNTED,
            "grain": ["total"] * COUNTED,
            "start": [to_day(EPOCH)] * COUNTED,
            "path": [counted_path(number) for number in range(COUNTED)],
            "views": [1] * COUNTED,
            "visits": [0] * COUNTED,
            "position": [1] * COUNTED,
        },
    )
    await store.close()
    urls = {"LUOT_CLICKHOUSE_URL": clickhouse.url, "LUOT_REDIS_URL": redis_server.url}
    service = Service("api", tmp_path, **urls).start()
    yield service
    service.stop()


async def answered(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/counter/mytho", params={"path": ARTICLE}) as response:
        answer = await response.json()
    assert answer["total"] == 100
    assert answer["paths"] == {ARTICLE: {"views": 445, "today": 0}}
    assert not answer["stale"]


async def status(client: aiohttp.ClientSession, address: URL, headers: dict[str, str]) -> int:
    async with client.get(address, headers=headers) as response:
        await response.read()
        return response.status


async def test_thousands_of_invented_pages_fill_no_memory(service: Service, redis: Redis) -> None:
    # httpx looks at each letter of an address, and these are long: it would take most of the time.
    async with aiohttp.ClientSession(service.url, cookie_jar=aiohttp.DummyCookieJar()) as client:
        await answered(client)
        before = peak(service.pid)
        in_redis = (await redis.info("memory"))["used_memory"]
        codes: Counter[int] = Counter()

        async def flood(seed: int) -> None:
            stranger = Stranger(seed)
            for _ in range(REQUESTS // AT_ONCE):
                address, headers = stranger.ask()
                codes[await status(client, URL(address, encoded=True), headers)] += 1

        await asyncio.gather(*(flood(seed) for seed in range(AT_ONCE)))

        said = f"{before >> 20} MB before, {peak(service.pid) >> 20} MB at most; {codes}"
        assert codes.keys() <= {200, 400, 401, 403, 404, 503}, said
        assert codes[200] > REQUESTS / 10, said
        assert peak(service.pid) < LIMIT, said
        assert peak(service.pid) - before < GROWTH, said
        assert await redis.hlen(keys.pages("mytho")) > 1
        assert (await redis.info("memory"))["used_memory"] - in_redis < IN_REDIS
        await answered(client)
