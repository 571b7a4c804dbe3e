"""`python -m tests.chaos.recovery`: after each fault, how long until every number is right again.

Prints the measured columns of docs/reliability.md.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from redis.asyncio import Redis

from tests.chaos.books import SITES, Books, Generator
from tests.chaos.world import World

AWAY = 5.0
RATE = 100.0

Step = Callable[[World], Awaitable[None]]


def _kill(name: str) -> Step:
    async def kill(world: World) -> None:
        world.services[name].kill()

    return kill


def _start(name: str) -> Step:
    async def start(world: World) -> None:
        await asyncio.to_thread(world.services[name].start, wait=False)

    return start


async def _kill_redis(world: World) -> None:
    world.redis.kill()


async def _start_redis(world: World) -> None:
    await asyncio.to_thread(world.redis.start)


async def _kill_clickhouse(world: World) -> None:
    world.clickhouse.kill()


async def _start_clickhouse(world: World) -> None:
    await asyncio.to_thread(world.clickhouse.start)


def _signal(name: str, signum: signal.Signals) -> Step:
    async def send(world: World) -> None:
        server = world.redis if name == "redis" else world.clickhouse
        os.kill(server.pid, signum)

    return send


def _maxmemory(size: str) -> Step:
    async def configure(world: World) -> None:
        async with Redis(port=world.redis.port) as redis:
            await redis.config_set("maxmemory", size)

    return configure


async def _fill(world: World) -> None:
    await asyncio.to_thread(world.disk.fill)


async def _free(world: World) -> None:
    world.disk.free()


async def _cut(world: World) -> None:
    world.redis_proxy.refuses = world.clickhouse_proxy.refuses = True
    world.redis_proxy.reset()
    world.clickhouse_proxy.reset()


async def _mend(world: World) -> None:
    world.redis_proxy.heal()
    world.clickhouse_proxy.heal()


async def _nothing(world: World) -> None:
    """Leave it as it is: the others take over."""


FAULTS: tuple[tuple[str, Step, Step], ...] = (
    ("`kill -9` of one ingest", _kill("ingest-1"), _start("ingest-1")),
    ("`kill -9` of one aggregator, for good", _kill("aggregator-1"), _nothing),
    ("both aggregators killed", _kill("aggregator-2"), _start("aggregator-2")),
    ("`kill -9` of the API", _kill("api"), _start("api")),
    ("`kill -9` of Redis", _kill_redis, _start_redis),
    ("Redis stands still", _signal("redis", signal.SIGSTOP), _signal("redis", signal.SIGCONT)),
    ("Redis full (`OOM`)", _maxmemory("1"), _maxmemory("0")),
    ("`kill -9` of ClickHouse", _kill_clickhouse, _start_clickhouse),
    (
        "ClickHouse stands still",
        _signal("clickhouse", signal.SIGSTOP),
        _signal("clickhouse", signal.SIGCONT),
    ),
    ("ClickHouse without disk space", _fill, _free),
    ("network to both stores cut", _cut, _mend),
)


async def _counted(world: World, books: Books) -> float:
    """Return how long it takes until the public numbers are those of the books, not stale."""
    started = time.monotonic()
    async with httpx.AsyncClient(timeout=30) as http:
        while True:
            total, stale = 0, False
            try:
                for site in SITES:
                    url = f"{world.services['api'].url}/api/counter/{site}?metric=views"
                    numbers = (await http.get(url)).json()
                    total += numbers.get("total", 0)
                    stale = stale or numbers.get("stale", True)
            except httpx.TransportError:
                stale = True
            known = len(books.accepted)
            if not stale and known <= total <= known + len(books.unanswered):
                return time.monotonic() - started
            if time.monotonic() - started > 120:
                raise RuntimeError(f"{total} counted, {known} accepted")
            await asyncio.sleep(0.1)


async def _measure(directory: Path) -> None:
    world = World(directory)
    books = Books(1)
    try:
        await world.start()
        sys.stdout.write("| fault | answered | until right again |\n|---|---|---|\n")
        for name, begin, finish in FAULTS:
            generator = Generator(books, world.ingest_urls, RATE)
            before = len(books.accepted), len(books.sent)
            async with generator.sending():
                await asyncio.sleep(1)
                await begin(world)
                await asyncio.sleep(AWAY)
                await finish(world)
            seconds = await _counted(world, books)
            accepted, sent = len(books.accepted) - before[0], len(books.sent) - before[1]
            sys.stdout.write(f"| {name} | {accepted} of {sent} | {seconds:.1f} s |\n")
            sys.stdout.flush()
    finally:
        await world.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="luot-recovery-") as folder:
        asyncio.run(_measure(Path(folder)))
