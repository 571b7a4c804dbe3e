"""Two of each service at once: taken over when one dies, handed over when one stops."""

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.log import keys
from tests.chaos.books import Books, Generator
from tests.chaos.compare import settle
from tests.chaos.world import World
from tests.patience import PATIENCE_SECONDS
from tests.servers.nginx import Nginx

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARTITIONS = 8


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world whose services all run when a test begins, and when it ends."""
    world = World(tmp_path_factory.mktemp("world"))
    try:
        await world.start()
        yield world
    finally:
        await world.stop()


@pytest.fixture(scope="module")
def books() -> Books:
    """What was sent to the world, by all tests together."""
    return Books(random.randrange(1 << 32))


async def differences(world: World, books: Books) -> list[str]:
    return await settle(world.store_url(), books, world.services["api"].url)


async def owners(world: World) -> dict[int, str]:
    async with Redis(port=world.redis.port) as redis:
        values = await redis.mget([keys.owner(number, "luot") for number in range(PARTITIONS)])
    return {number: str(value) for number, value in enumerate(values) if value}


async def owned_by_all(world: World, workers: int) -> None:
    """Return as soon as so many workers own every partition between them."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            held = await owners(world)
            if len(held) == PARTITIONS and len(set(held.values())) == workers:
                return
            await asyncio.sleep(0.05)


async def test_aggregators_share_take_over_and_hand_over(world: World, books: Books) -> None:
    await owned_by_all(world, workers=2)
    generator = Generator(books, world.ingest_urls, rate=200)
    async with generator.sending():
        world.services["aggregator-1"].kill()
        await owned_by_all(world, workers=1)

        # What it owns it hands over: nobody waits until such leases run out.
        again = partial(world.services["aggregator-1"].start, LUOT_LEASE_SECONDS="3600")
        await asyncio.to_thread(again)
        await owned_by_all(world, workers=2)
        stopping = asyncio.create_task(asyncio.to_thread(world.services["aggregator-1"].stop))
        await owned_by_all(world, workers=1)
        assert await stopping == 0
        await asyncio.to_thread(world.services["aggregator-1"].start)
        await owned_by_all(world, workers=2)

    assert await differences(world, books) == []


async def test_a_rolling_restart_under_load_loses_and_refuses_nothing(
    world: World, books: Books
) -> None:
    ports = [service.port for name, service in world.services.items() if "ingest" in name]
    balancer = await asyncio.to_thread(Nginx(world.directory / "nginx", ports).start)
    world.on_stop(balancer.stop)
    generator = Generator(books, [balancer.url], rate=300)
    before = len(books.sent)
    async with generator.sending():
        for name, service in world.services.items():
            await asyncio.sleep(0.3)
            assert await asyncio.to_thread(service.stop) == 0, name
            await asyncio.to_thread(service.start)
    assert books.refused == {}
    assert books.unanswered == set()
    assert len(books.accepted) == len(books.sent) > before + 1000
    assert await differences(world, books) == []


async def test_two_apis_show_the_same_numbers(world: World, books: Books) -> None:
    second = world.add_service("api-2")
    await asyncio.to_thread(second.start)
    urls = [world.services["api"].url, second.url]
    generator = Generator(books, world.ingest_urls, rate=200)
    async with generator.sending():
        await asyncio.sleep(2)
    assert await differences(world, books) == []

    # The network between the services is in this process: nothing here may hold it up.
    async with httpx.AsyncClient() as http:
        shown = [(await http.get(f"{url}/api/counter/cong-0")).json() for url in urls]
    for numbers in shown:
        assert numbers.pop("total") > 0
        del numbers["as_of"], numbers["online"]
    assert shown[0] == shown[1]
