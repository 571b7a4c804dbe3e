"""What is broken for each alert. A fault holds until its block is left, and is mended then."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from services.log import keys
from tests.drill.plant import PROBED, Plant

_READ_ONLY = "<yandex><profiles><default><readonly>1</readonly></default></profiles></yandex>"

Fault = Callable[[Plant], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def doing(work: Any) -> AsyncIterator[None]:
    """Do something meanwhile."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# Services


@asynccontextmanager
async def ingest_killed(plant: Plant) -> AsyncIterator[None]:
    """The only ingest is killed."""
    plant.ingest.kill()
    yield
    await asyncio.to_thread(plant.ingest.start)


@asynccontextmanager
async def aggregators_killed(plant: Plant) -> AsyncIterator[None]:
    """Both aggregators are killed."""
    plant.aggregator.kill()
    plant.second.kill()
    yield
    await asyncio.to_thread(plant.aggregator.start)
    await asyncio.to_thread(plant.second.start)


@asynccontextmanager
async def api_killed(plant: Plant) -> AsyncIterator[None]:
    """The only API is killed."""
    plant.api.kill()
    yield
    await asyncio.to_thread(plant.api.start)


@asynccontextmanager
async def one_aggregator_killed(plant: Plant) -> AsyncIterator[None]:
    """One of two aggregators is killed; the other takes over when the lease ends."""
    plant.second.kill()
    yield
    await asyncio.to_thread(plant.second.start)


@asynccontextmanager
async def restarts(plant: Plant) -> AsyncIterator[None]:
    """One of two aggregators is killed and started four times."""
    for _ in range(4):
        plant.second.kill()
        await asyncio.to_thread(plant.second.start)
        # Long enough to be seen.
        await asyncio.sleep(1.5)
    yield


# Stores


@asynccontextmanager
async def redis_killed(plant: Plant) -> AsyncIterator[None]:
    """Redis is killed, and hits come in until the spool is full."""
    plant.redis.kill()
    async with doing(plant.send(1_000_000)):
        yield
    await asyncio.to_thread(plant.redis.start)


@asynccontextmanager
async def clickhouse_killed(plant: Plant) -> AsyncIterator[None]:
    """ClickHouse is killed."""
    plant.clickhouse.kill()
    yield
    await asyncio.to_thread(plant.clickhouse.start)


@asynccontextmanager
async def store_read_only(plant: Plant) -> AsyncIterator[None]:
    """ClickHouse lets Luot read, and no longer write."""
    profile = plant.clickhouse.directory / "users.d" / "drill.xml"
    profile.write_text(_READ_ONLY)
    plant.clickhouse.kill()
    await asyncio.to_thread(plant.clickhouse.start)
    yield
    profile.unlink()
    plant.clickhouse.kill()
    await asyncio.to_thread(plant.clickhouse.start)


@asynccontextmanager
async def table_gone(plant: Plant) -> AsyncIterator[None]:
    """ClickHouse answers, and a table that the public numbers are made of is missing."""
    await plant.sql("DETACH TABLE opening_balances")
    yield
    await plant.sql("ATTACH TABLE opening_balances")


@asynccontextmanager
async def numbers_forgotten(plant: Plant) -> AsyncIterator[None]:
    """A table is missing, and the API starts without the numbers it has shown before."""
    await plant.sql("DETACH TABLE opening_balances")
    plant.api.kill()
    with plant.redis.client() as client:
        client.delete("numbers")
    await asyncio.to_thread(plant.api.start, wait=False)
    yield
    await plant.sql("ATTACH TABLE opening_balances")


@asynccontextmanager
async def merges_stopped(plant: Plant) -> AsyncIterator[None]:
    """ClickHouse does not merge, and 130 inserts make 130 parts of a table."""
    await plant.sql("CREATE TABLE drill (n UInt32) ENGINE = MergeTree ORDER BY n")
    await plant.sql("SYSTEM STOP MERGES drill")
    for number in range(130):
        await plant.sql("INSERT INTO drill VALUES", [(number,)])
    yield
    await plant.sql("DROP TABLE drill")


@asynccontextmanager
async def redis_nearly_full(plant: Plant) -> AsyncIterator[None]:
    """Something else fills Redis to nine tenths of its memory."""
    with plant.redis.client() as client:
        # Made by the server: what a client sends is in its memory, too, for a moment.
        client.setrange("ballast", (64 << 20) - 1, b"\0")
        used: Any = client.info("memory")
        client.config_set("maxmemory", int(used["used_memory"] / 0.88))
        yield
        client.delete("ballast")
        client.config_set("maxmemory", 0)


@asynccontextmanager
async def append_only_file_off(plant: Plant) -> AsyncIterator[None]:
    """Somebody switches the append-only file of Redis off."""
    with plant.redis.client() as client:
        client.config_set("appendonly", "no")
        yield
        client.config_set("appendonly", "yes")


@asynccontextmanager
async def evicting(plant: Plant) -> AsyncIterator[None]:
    """Somebody lets Redis evict, and there is something to evict."""
    with plant.redis.client() as client:
        for number in range(2000):
            client.set(f"ballast:{number}", b"\0" * 10_000, ex=300)
        used: Any = client.info("memory")
        client.config_set("maxmemory-policy", "volatile-ttl")
        client.config_set("maxmemory", int(used["used_memory"]) - (4 << 20))
        client.set("ballast", b"\0")
        yield
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
        for number in range(2000):
            client.delete(f"ballast:{number}")
        client.delete("ballast")


# Hits


@asynccontextmanager
async def nobody_comes(plant: Plant) -> AsyncIterator[None]:
    """Readers stop coming, as from portals that lost the script; the probe still does."""
    # Many more than 0.1 a second over three hours, as those pass here.
    await plant.hits_come(round(3 * 3600 / plant.factor))
    plant.readers_come.clear()
    yield
    plant.readers_come.set()


@asynccontextmanager
async def slow_flushes(plant: Plant) -> AsyncIterator[None]:
    """Somebody has the aggregators write every ten seconds."""
    await _restart_aggregators(plant, LUOT_FLUSH_SECONDS="10")
    yield
    await _restart_aggregators(plant)


async def _restart_aggregators(plant: Plant, **settings: str) -> None:
    for service in (plant.aggregator, plant.second):
        service.stop()
        await asyncio.to_thread(partial(service.start, wait=True, **settings))


@asynccontextmanager
async def store_slow(plant: Plant) -> AsyncIterator[None]:
    """ClickHouse gets a quarter of its time, and pages are read for the first time."""

    async def starve() -> None:
        try:
            while True:
                os.kill(plant.clickhouse.pid, signal.SIGSTOP)
                await asyncio.sleep(1.5)
                os.kill(plant.clickhouse.pid, signal.SIGCONT)
                await asyncio.sleep(0.5)
        finally:
            os.kill(plant.clickhouse.pid, signal.SIGCONT)

    async def read_pages() -> None:
        while True:
            await asyncio.gather(*(plant.read_page() for _ in range(5)))
            await asyncio.sleep(0.2)

    async with doing(starve()), doing(read_pages()):
        yield


@asynccontextmanager
async def many_hits_of_one_address(plant: Plant) -> AsyncIterator[None]:
    """One address sends far more than its budget."""
    async with doing(plant.send(100_000, address="203.0.113.9")):
        yield


@asynccontextmanager
async def unknown_proxy(plant: Plant) -> AsyncIterator[None]:
    """Readers come through a proxy that nobody has told ingest of."""
    async with doing(plant.send(100_000, local="127.0.0.2")):
        yield


@asynccontextmanager
async def unknown_portal(plant: Plant) -> AsyncIterator[None]:
    """A portal embeds the script, and nobody has added its site."""
    async with doing(plant.send(100_000, site="khong-ai-biet")):
        yield


@asynccontextmanager
async def probe_site_moved(plant: Plant) -> AsyncIterator[None]:
    """Somebody takes away the host of the probe's site: its hits are refused."""
    await plant.admin("PATCH", f"/api/admin/sites/{PROBED}", hosts=["elsewhere.example"])
    yield
    await plant.admin("PATCH", f"/api/admin/sites/{PROBED}", hosts=["localhost"])


@asynccontextmanager
async def unreadable_entry(plant: Plant) -> AsyncIterator[None]:
    """Something that is no batch is written into a stream of the log."""
    with plant.redis.client() as client:
        client.xadd(keys.stream(0), {"n": "1", "v": "1", "b": "no batch"})
        yield
        # The doctor is to be well again.
        client.delete(keys.DEAD)
