"""What can go wrong, each with its own end."""

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import redis.asyncio

from tests.chaos.proxy import Proxy
from tests.chaos.world import World
from tests.patience import rounds
from tests.servers.services import Service

Fault = Callable[[World, random.Random], Awaitable[str]]

LONG_PAUSE = 20.0
"""How long a stopped process stands still at most."""
_SPOOLED = re.compile(r"^luot_spool_hits (\S+)$", re.MULTILINE)


@asynccontextmanager
async def _redis(world: World) -> AsyncIterator[Any]:
    """Talk to Redis behind the proxy's back, for as long as it takes to be heard."""
    client = redis.asyncio.Redis(port=world.redis.port)
    try:
        yield client
    finally:
        await client.aclose()


async def _insist(client: Any, *command: str) -> None:
    for _ in rounds(0.1):
        with contextlib.suppress(redis.exceptions.RedisError):
            await client.execute_command(*command)
            return
        await asyncio.sleep(0.1)


async def kill_a_service(world: World, chance: random.Random) -> str:
    """`kill -9` of ingest, aggregator or API; it is started again at once or a little later."""
    name = chance.choice(sorted(world.services))
    service = world.services[name]
    service.kill()
    await asyncio.sleep(chance.choice([0.0, 0.5, 3.0]))
    await asyncio.to_thread(service.start, wait=False)
    with contextlib.suppress(RuntimeError):
        await asyncio.to_thread(service.wait_until_ready, 20)
    return f"kill -9 {name}"


async def leave_spools(world: World, chance: random.Random) -> str:
    """Redis cannot be reached, every ingest is killed with hits in its spool, one comes back first.

    That one is of either Luot; it finds what all have left, and may take what is its own.
    """
    ingests = world.ingests()
    deadline = time.monotonic() + LONG_PAUSE
    spooled = False
    while not spooled and time.monotonic() < deadline:
        # Again and again: another fault may have ended.
        world.redis_proxy.refuses = True
        world.redis_proxy.reset()
        await asyncio.sleep(0.2)
        spooled = all([await asyncio.to_thread(has_spooled, one.url) for one in ingests])
    for service in ingests:
        service.kill()
    left = sum(file.stat().st_size for file in world.spools.glob("*/*"))
    chance.shuffle(ingests)
    world.redis_proxy.heal()
    first, *others = ingests
    await start_together((first,))
    await start_together(others)
    name = next(name for name, service in world.services.items() if service is first)
    return f"kill -9 of every ingest with {left} bytes in the spools, {name} is back first"


async def start_together(services: Sequence[Service]) -> None:
    """Start services together, and wait until they are ready or something else is wrong."""
    for service in services:
        await asyncio.to_thread(service.start, wait=False)
    for service in services:
        with contextlib.suppress(RuntimeError):
            await asyncio.to_thread(service.wait_until_ready, 20)


def has_spooled(url: str) -> bool:
    """Tell whether an ingest has hits in its spool; one that does not answer has time."""
    try:
        found = _SPOOLED.search(httpx.get(f"{url}/metrics", timeout=5).text)
    except httpx.TransportError:
        return False
    return found is not None and float(found[1]) > 0


async def restart_a_service(world: World, chance: random.Random) -> str:
    """SIGTERM, as a deployment does."""
    name = chance.choice(sorted(world.services))
    service = world.services[name]
    await asyncio.to_thread(service.stop)
    await asyncio.to_thread(service.start, wait=False)
    with contextlib.suppress(RuntimeError):
        await asyncio.to_thread(service.wait_until_ready, 20)
    return f"restart {name}"


async def kill_redis(world: World, chance: random.Random) -> str:
    """A power cut of Redis, as far as a process can tell."""
    world.redis.kill()
    away = chance.choice([0.0, 1.0, 4.0])
    await asyncio.sleep(away)
    await asyncio.to_thread(world.redis.start)
    return f"kill -9 redis, away for {away} s"


async def kill_clickhouse(world: World, chance: random.Random) -> str:
    """A crash of ClickHouse."""
    world.clickhouse.kill()
    away = chance.choice([0.0, 2.0, 6.0])
    await asyncio.sleep(away)
    await asyncio.to_thread(world.clickhouse.start)
    return f"kill -9 clickhouse, away for {away} s"


async def freeze_a_service(world: World, chance: random.Random) -> str:
    """SIGSTOP: a process that neither works nor dies, as on a machine that swaps."""
    pids = {name: service.pid for name, service in world.services.items()}
    return await _freeze(pids, chance)


async def freeze_a_store(world: World, chance: random.Random) -> str:
    """SIGSTOP of Redis or ClickHouse: connections stay open and say nothing."""
    return await _freeze({"redis": world.redis.pid, "clickhouse": world.clickhouse.pid}, chance)


async def _freeze(pids: dict[str, int], chance: random.Random) -> str:
    name = chance.choice(sorted(pids))
    seconds = chance.choice([2.0, 5.0, LONG_PAUSE])
    os.kill(pids[name], signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(pids[name], signal.SIGCONT)
    return f"freeze {name} for {seconds} s"


async def redis_out_of_memory(world: World, chance: random.Random) -> str:
    """Every write is refused with OOM."""
    seconds = chance.uniform(1, 6)
    async with _redis(world) as client:
        await _insist(client, "CONFIG", "SET", "maxmemory", "1")
        await asyncio.sleep(seconds)
        await _insist(client, "CONFIG", "SET", "maxmemory", "0")
    return f"redis out of memory for {seconds:.1f} s"


async def redis_read_only(world: World, chance: random.Random) -> str:
    """Redis is a replica of nobody: READONLY."""
    seconds = chance.uniform(1, 5)
    async with _redis(world) as client:
        await _insist(client, "REPLICAOF", "127.0.0.1", "1")
        await asyncio.sleep(seconds)
        await _insist(client, "REPLICAOF", "NO", "ONE")
    return f"redis read-only for {seconds:.1f} s"


async def clickhouse_disk_full(world: World, chance: random.Random) -> str:
    """No byte is left for ClickHouse."""
    seconds = chance.uniform(2, 8)
    await asyncio.to_thread(world.disk.fill)
    await asyncio.sleep(seconds)
    world.disk.free()
    return f"clickhouse without disk space for {seconds:.1f} s"


def _a_network(world: World, chance: random.Random) -> tuple[str, Proxy]:
    """Return a store, and what stands between it and the services."""
    name = chance.choice(["redis", "clickhouse"])
    return name, world.redis_proxy if name == "redis" else world.clickhouse_proxy


async def reset_connections(world: World, chance: random.Random) -> str:
    """Every connection to a store is cut, several times."""
    name, proxy = _a_network(world, chance)
    return f"{await proxy.cut(chance)} resets of every connection to {name}"


async def hold_connections(world: World, chance: random.Random) -> str:
    """The network to a store swallows everything for a while, then delivers it."""
    name, proxy = _a_network(world, chance)
    seconds = chance.choice([1.0, 4.0, 8.0])
    await proxy.hold_for(seconds)
    return f"nothing passes to {name} for {seconds} s"


async def refuse_connections(world: World, chance: random.Random) -> str:
    """A store cannot be reached at all."""
    name, proxy = _a_network(world, chance)
    seconds = chance.uniform(1, 6)
    await proxy.refuse_for(seconds)
    return f"{name} refuses connections for {seconds:.1f} s"


OF_SERVICES: tuple[Fault, ...] = (
    leave_spools,
    kill_a_service,
    kill_a_service,
    kill_a_service,
    restart_a_service,
    freeze_a_service,
)
OF_STORES: tuple[Fault, ...] = (
    kill_redis,
    kill_redis,
    kill_clickhouse,
    freeze_a_store,
    redis_out_of_memory,
    redis_read_only,
    clickhouse_disk_full,
    reset_connections,
    hold_connections,
    refuse_connections,
)
