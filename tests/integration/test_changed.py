"""A hit is public as soon as its flush is told of; a notice that is lost costs a while at most."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from redis.asyncio import Redis

from services.aggregator import changes as telling
from services.aggregator.app import Aggregator
from services.aggregator.settings import AggregatorSettings
from services.api.app import Api
from services.api.counter import changes as hearing
from services.api.metrics import COUNTER_READS, FIRST_READS, MISSED_CHANGES
from services.api.settings import ApiSettings
from services.ingest.app import Ingest
from services.ingest.settings import IngestSettings
from services.model.partition import DEFAULT_PARTITIONS
from services.model.site import Site
from services.state.changes import Notices
from services.state.errors import StateError
from services.state.online import OnlineCounts
from services.state.state import State
from services.store.migrations import migrate
from services.store.open import open_store
from services.store.records import sites
from tests.patience import rounds
from tests.servers.redis import RedisServer
from tests.servers.system import BROWSER

NEVER = 3600.0
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
TOKEN = "a-token-for-these-tests-only"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


class World:
    """The three services in this process, on real stores, with a clock of days set by hand."""

    def __init__(self, redis: RedisServer, folder: Path) -> None:
        self.now = 0.0
        self.set("2026-12-30 12:00:00")
        self.redis = redis
        self.store = open_store(f"chdb://{folder}/store")
        self.client: Redis = Redis.from_url(redis.url)
        self.ingest = Ingest(IngestSettings(redis_url=redis.url), clock=lambda: self.ms)
        self.aggregator = Aggregator(
            AggregatorSettings(redis_url=redis.url, flush_seconds=0.1), self.store
        )
        self.api = Api(
            ApiSettings.read({}, redis_url=redis.url, admin_token=TOKEN),
            store=self.store,
            state=State(self.client),
            clock=lambda: self.now,
        )

    @asynccontextmanager
    async def running(self, *slugs: str) -> AsyncIterator["World"]:
        await migrate(self.store)
        for version, slug in enumerate(slugs, 1):
            await sites.save(self.store, Site(slug=slug, hosts=("*",), timezone=HANOI.key), version)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.store.close)
            stack.push_async_callback(self.client.aclose)
            for service in (self.api, self.ingest, self.aggregator):
                await service.start()
                stack.push_async_callback(service.stop)
            yield self

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=HANOI).timestamp()

    @property
    def ms(self) -> int:
        return int(self.now * 1000)

    def told(self) -> bool:
        """Tell whether the API is told of every change."""
        return self.api._now().counters.changes.told_partitions() == DEFAULT_PARTITIONS

    async def view(self, site: str, path: str = "/") -> None:
        transport = httpx.ASGITransport(app=self.ingest, client=("203.0.113.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            body = {"n": "pageview", "d": site, "u": f"https://{site}.example{path}"}
            for _ in rounds(0.1):
                answer = await client.post("/api/event", json=body, headers={"User-Agent": BROWSER})
                assert answer.status_code == 202
                if "X-Luot-Dropped" not in answer.headers:
                    return
                await asyncio.sleep(0.1)
        raise AssertionError(answer.headers)

    async def ask(self, site: str, method: str = "GET", **options: Any) -> dict[str, Any]:
        transport = httpx.ASGITransport(app=self.api.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            answer = await client.request(method, site, **options)
        assert answer.is_success, answer.text
        numbers: dict[str, Any] = answer.json()
        return numbers

    async def counter(self, site: str, **query: str) -> dict[str, Any]:
        return await self.ask(f"/api/counter/{site}", params={"metric": "views", **query})

    async def seen(self, site: str, total: int, **query: str) -> dict[str, Any]:
        """Return the numbers as soon as they have a total; they may not go beyond it."""
        for _ in rounds(0.02):
            numbers = await self.counter(site, **query)
            if numbers["total"] >= total:
                assert numbers["total"] == total
                return numbers
            await asyncio.sleep(0.02)
        raise AssertionError((numbers, reads(), self.told(), await self.failure()))

    async def failure(self) -> str:
        """Return what ended a task of the aggregator, if anything did."""
        try:
            async with asyncio.timeout(0.1):
                await self.aggregator.failed()
        except TimeoutError:
            return ""
        except Exception as error:
            return repr(error)
        return "ended"


async def until(true: Callable[[], bool]) -> None:
    for _ in rounds(0.02):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(true)


def reads() -> dict[str, int]:
    """Return the reads of counters so far, by cause."""
    counted = {cause: int(counter._value.get()) for cause, counter in COUNTER_READS.items()}
    return {"first": int(FIRST_READS._value.get()), **counted}


@pytest.fixture
def no_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let numbers hold for an hour unless they are said to have changed."""
    monkeypatch.setattr(hearing, "NET_SECONDS", NEVER)


@pytest.fixture
def world(redis_server: RedisServer, tmp_path: Path) -> World:
    return World(redis_server, tmp_path)


@pytest.mark.usefixtures("no_net")
async def test_numbers_are_read_when_they_change_and_only_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is.
    monkeypatch.setattr(hearing, "TELLER_SECONDS", NEVER)
    slugs = [f"site-{number}" for number in range(80)]
    busy = slugs[:3]
    async with world.running(*slugs):
        await until(world.told)
        for slug in slugs * 2:
            assert (await world.counter(slug))["total"] == 0
        before = reads()
        for number in range(1, 6):
            for slug in busy:
                await world.view(slug, f"/{number}")
            for slug in busy:
                await world.seen(slug, number)
            for slug in slugs:
                await world.counter(slug)
        # Pages that a change is told of, and downloads, are read by the same notice.
        assert (await world.counter(busy[0], path="/5"))["paths"]["/5"]["views"] == 1
        await world.view(busy[0], "/5")
        for _ in rounds(0.02):
            numbers = await world.counter(busy[0], path="/5")
            if numbers["paths"]["/5"]["views"] == 2:
                break
            await asyncio.sleep(0.02)
        after = reads()
        assert numbers["total"] == 6
        assert after["untold"] == before["untold"]
        assert after["net"] == before["net"]
        # Six hits of three sites, one site's page, and peaks that follow: nothing of the others.
        assert after["changed"] - before["changed"] < len(slugs)
        assert after["first"] - before["first"] == 1

        # Who is online goes down although nothing is told of the site.
        await world.aggregator.stop()
        for visitors in (7, 4):
            await OnlineCounts(State(world.client)).publish({busy[0]: visitors}, world.ms)
            for _ in rounds(0.05):
                if (numbers := await world.counter(busy[0]))["online"] == visitors:
                    break
                await asyncio.sleep(0.05)
            assert numbers["online"] == visitors


@pytest.mark.usefixtures("no_net")
async def test_midnight_and_what_people_change_need_no_hit(world: World) -> None:
    async with world.running("mytho", "danang"):
        await until(world.told)
        await world.view("mytho")
        assert (await world.seen("mytho", 1))["today"] == 1
        world.set("2026-12-31 00:00:01")
        for _ in rounds(0.02):
            numbers = await world.counter("mytho")
            if numbers["today"] == 0:
                break
            await asyncio.sleep(0.02)
        assert (numbers["today"], numbers["yesterday"], numbers["total"]) == (0, 1, 1)

        balance = {
            "id": "old",
            "grain": "total",
            "start": "1970-01-01",
            "views": 500,
            "visits": 40,
            "reason": "the old counter",
        }
        address = "/api/admin/sites/mytho/balances"
        await world.ask(address, "POST", json={"entries": [balance]}, headers=ADMIN)
        await world.seen("mytho", 501)

        # What is merged into it changes it, and so does what is counted there from then on.
        await world.view("danang")
        await world.seen("danang", 1)
        await world.ask(
            "/api/admin/sites/danang/merge", "POST", json={"into": "mytho"}, headers=ADMIN
        )
        await world.seen("mytho", 502)
        await world.view("danang", "/again")
        await world.seen("mytho", 503)


async def test_a_notice_that_is_lost_or_invented_does_no_harm(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "NET_SECONDS", 2.0)
    monkeypatch.setattr(hearing, "TELLER_SECONDS", NEVER)
    async with world.running("mytho", "danang"):
        await until(world.told)
        await world.view("mytho")
        await world.seen("mytho", 1)
        missed = MISSED_CHANGES._value.get()

        # From here on the aggregator says only that nothing changed.
        monkeypatch.setattr(world.aggregator._changes, "add", lambda _: None)
        await world.view("mytho", "/lost")
        await world.seen("mytho", 2)
        assert MISSED_CHANGES._value.get() > missed

        monkeypatch.setattr(hearing, "NET_SECONDS", NEVER)
        await world.counter("danang")
        before = sum(reads().values())
        channel = "changes:0"
        for body in (b"", b"\xc1", b"x" * (1 << 20), b"\x93\xa1a\x91\xcd\xff\xff\x91\xa4none"):
            assert await world.client.publish(channel, body) == 1
        for _ in range(20):
            await Notices(State(world.client)).tell("", (), ["danang", "none", "danang#downloads"])
            await world.counter("danang")
        assert sum(reads().values()) - before < 20
        assert (await world.counter("danang"))["stale"] is False


@pytest.mark.usefixtures("no_net")
async def test_after_redis_was_away_and_without_a_teller_numbers_come_as_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.running("mytho"):
        await until(world.told)
        await world.view("mytho")
        await world.seen("mytho", 1)
        world.redis.kill()
        await until(lambda: not world.told())
        world.redis.start()
        await until(world.told)
        await world.view("mytho", "/2")
        await world.seen("mytho", 2)

        # An older aggregator tells nothing.
        async def nothing(*_: Any) -> None:
            raise StateError("told by nobody")

        monkeypatch.setattr(world.aggregator._changes._notices, "tell", nothing)
        monkeypatch.setattr(telling, "TELL_SECONDS", math.inf)
        await until(lambda: not world.told())
        before = reads()
        await world.view("mytho", "/3")
        await world.seen("mytho", 3)
        assert reads()["untold"] > before["untold"]
