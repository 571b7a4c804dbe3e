"""Ingest with a real Redis: the application is called in this process, over ASGI."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import redis

from services.ingest.app import Ingest
from services.ingest.settings import IngestSettings
from services.log import batch
from services.log.redis import entry_fields
from services.model.hit import Hit
from services.model.site import Site
from services.state import keys as state_keys
from tests.servers.redis import RedisServer

NOON = 1_700_024_400_000
"""12:00 on 15 November 2023 in Asia/Ho_Chi_Minh."""
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/120.0.0.0 Safari/537.36"
)
SITE = Site(slug="mytho", hosts=("mytho.example",), significant=("tabid",))


class Hand:
    """A clock moved by hand."""

    def __init__(self, ms: int = NOON) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


class Log:
    """What is in Redis, and how a test changes it."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.redis: redis.Redis = server.client()

    def publish(self, *sites: Site) -> None:
        for site in sites:
            self.redis.hset(state_keys.SITES, site.slug, msgspec.json.encode(site))

    def hits(self) -> list[Hit]:
        found: list[Hit] = []
        for stream in self.redis.scan_iter("hits:{*}"):
            entries: Any = self.redis.xrange(stream)
            for _, fields in entries:
                headers, value = entry_fields.read(fields)
                found += batch.decode(value, hits=int(headers["n"])).hits()
        return sorted(found, key=lambda hit: hit.at)


class Browser:
    """Sends hits as a browser would."""

    def __init__(self, ingest: Ingest, address: str) -> None:
        self.ingest = ingest
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=ingest, client=(address, 4711)),
            base_url="http://ingest",
            headers={"user-agent": CHROME},
        )

    async def view(
        self, url: str = "https://mytho.example/", site: str = "mytho", **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        event = {"n": "pageview", "u": url, "d": site}
        return await self.http.post("/api/event", content=msgspec.json.encode(event), headers=named)


OpenIngest = Callable[..., AbstractAsyncContextManager[Browser]]


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def log(server: RedisServer) -> Iterator[Log]:
    log = Log(server)
    log.redis.flushall()
    log.publish(SITE)
    yield log
    log.redis.close()


@pytest.fixture
def own_log(tmp_path: Path) -> Iterator[Log]:
    """A server of the test's own, to be killed."""
    server = RedisServer(tmp_path / "redis").start()
    log = Log(server)
    log.publish(SITE)
    yield log
    log.redis.close()
    server.stop()


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def open_ingest(log: Log, clock: Hand, tmp_path: Path) -> OpenIngest:
    """Return what starts an ingest process' worth of ingest, with settings of one's own."""

    @asynccontextmanager
    async def opened(address: str = "203.0.113.9", **settings: Any) -> AsyncIterator[Browser]:
        given = {"redis_url": log.server.url, "spool": tmp_path / "spool", **settings}
        ingest = Ingest(IngestSettings.read({}, **given), clock=clock)
        await ingest.start()
        browser = Browser(ingest, address)
        try:
            yield browser
        finally:
            await browser.http.aclose()
            await ingest.stop()

    return opened


@pytest.fixture
async def browser(open_ingest: OpenIngest) -> AsyncIterator[Browser]:
    async with open_ingest() as browser:
        yield browser
