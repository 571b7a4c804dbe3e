"""Days, months and years turn at the site's own midnight, from the hit to the public number."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from redis.asyncio import Redis

from services.aggregator.app import Aggregator
from services.aggregator.settings import AggregatorSettings
from services.api.app import Api
from services.api.settings import ApiSettings
from services.ingest.app import Ingest
from services.ingest.settings import IngestSettings
from services.model.site import Site
from services.state.state import State
from services.store.migrations import migrate
from services.store.open import open_store
from services.store.records import sites
from tests.patience import rounds
from tests.servers.redis import RedisServer
from tests.servers.system import BROWSER, System

HANOI = "Asia/Ho_Chi_Minh"
NEW_YORK = "America/New_York"


class World:
    """The three services in this process, on real stores, with a clock that is set by hand."""

    def __init__(self, redis_url: str, store_url: str) -> None:
        self.now = 0.0
        self.store = open_store(store_url)
        self.redis: Redis = Redis.from_url(redis_url)
        self.ingest = Ingest(
            IngestSettings(redis_url=redis_url), clock=lambda: int(self.now * 1000)
        )
        self.aggregator = Aggregator(
            AggregatorSettings(redis_url=redis_url, flush_seconds=0.1), self.store
        )
        self.api = Api(
            ApiSettings(redis_url=redis_url),
            store=self.store,
            state=State(self.redis),
            clock=lambda: self.now,
        )

    @asynccontextmanager
    async def running(self, *portals: Site) -> AsyncIterator["World"]:
        await migrate(self.store)
        for version, site in enumerate(portals, 1):
            await sites.save(self.store, site, version)
        await self.api.start()
        await self.ingest.start()
        await self.aggregator.start()
        yield self
        await self.ingest.stop()
        await self.aggregator.stop()
        await self.api.stop()
        await self.redis.aclose()
        await self.store.close()

    def set(self, text: str, zone: str = HANOI, fold: int = 0) -> None:
        self.now = (
            datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()
        )

    async def view(self, site: str, address: str = "203.0.113.1") -> None:
        transport = httpx.ASGITransport(app=self.ingest, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            body = {"n": "pageview", "d": site, "u": f"https://{site}.example/"}
            answer = await client.post("/api/event", json=body, headers={"User-Agent": BROWSER})
            assert (answer.status_code, answer.headers.get("X-Luot-Dropped")) == (202, None)

    async def numbers(self, site: str, total: int, metric: str = "views") -> dict[str, Any]:
        transport = httpx.ASGITransport(app=self.api.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            for _ in rounds(0.1):
                answer = await client.get(f"/api/counter/{site}", params={"metric": metric})
                numbers: dict[str, Any] = answer.json()
                if numbers.get("total") == total:
                    return numbers
                # The answer is held for a second of the clock that does not move.
                await asyncio.sleep(0.1)
        raise AssertionError(numbers)


async def test_new_years_eve_ends_at_midnight_in_hanoi(
    luot: System, redis_server: RedisServer
) -> None:
    site = Site(slug="mytho", hosts=("*",), timezone=HANOI)
    world = World(redis_server.url, luot.clickhouse.url.replace("/luot", "/new_year"))
    async with world.running(site):
        world.set("2026-12-31 23:59:59")
        await world.view("mytho")
        numbers = await world.numbers("mytho", total=1)
        assert (numbers["today"], numbers["this_month"], numbers["this_year"]) == (1, 1, 1)

        world.set("2027-01-01 00:00:01")
        await world.view("mytho")
        await world.view("mytho", "203.0.113.2")
        numbers = await world.numbers("mytho", total=3)
        assert (numbers["today"], numbers["yesterday"]) == (2, 1)
        assert (numbers["this_month"], numbers["last_month"]) == (2, 1)
        assert (numbers["this_year"], numbers["last_year"]) == (2, 1)
        # A Thursday and a Friday of one week.
        assert (numbers["this_week"], numbers["last_week"]) == (3, 0)
        # The salt turned as well: who was known at 23:59:59 is nobody at 00:00:01.
        visits = await world.numbers("mytho", total=3, metric="visits")
        assert (visits["today"], visits["yesterday"]) == (2, 1)


async def test_each_site_has_its_own_midnight_also_when_the_clocks_change(
    luot: System, redis_server: RedisServer
) -> None:
    here = Site(slug="mytho", hosts=("*",), timezone=HANOI)
    there = Site(slug="ny", hosts=("*",), timezone=NEW_YORK)
    world = World(redis_server.url, luot.clickhouse.url.replace("/luot", "/zones"))
    async with world.running(here, there):
        # The last day of summer time has 25 hours; 01:30 comes twice.
        for text, fold in (
            ("2026-10-31 23:59:59", 0),
            ("2026-11-01 00:00:00", 0),
            ("2026-11-01 01:30:00", 0),
            ("2026-11-01 01:30:00", 1),
            ("2026-11-01 23:59:59", 0),
        ):
            world.set(text, NEW_YORK, fold)
            await world.view("ny")
            await world.view("mytho")
        numbers = await world.numbers("ny", total=5)
        assert (numbers["today"], numbers["yesterday"]) == (4, 1)
        assert (numbers["this_month"], numbers["last_month"]) == (4, 1)
        # In Hanoi these were 10:59:59, 11:00, 12:30 and 13:30 of the first, 11:59:59 of the second.
        numbers = await world.numbers("mytho", total=5)
        assert (numbers["today"], numbers["yesterday"]) == (1, 4)
        assert numbers["this_month"] == 5
