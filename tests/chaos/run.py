"""One run: hits go in, everything breaks, everything heals, and the books are compared."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from tests.chaos import faults
from tests.chaos.books import SITES, Books, Generator
from tests.chaos.breaking import BreakingProxy
from tests.chaos.compare import landed_unanswered, settle
from tests.chaos.erasures import EraseLane
from tests.chaos.imports import ImportLane
from tests.chaos.world import OURS, THEIR_SITES, THEIRS, World
from tests.patience import PATIENCE_SECONDS, limited
from tests.servers.services import Service

BROKEN_SHARE = 0.05
"""Of the requests of browsers, those whose connection breaks before the answer."""
REPEATS = 3
"""How often a browser sends a request again whose answer it did not see."""
THEIR_RATE = 20.0
"""Hits a second of the other Luot on the machine."""
FAULT_SECONDS = 4 * PATIENCE_SECONDS
"""How long one fault may take, with everything that it waits for."""

Say = Callable[[str], object]
AnyWorld = TypeVar("AnyWorld", bound=World)


class Watch:
    """Reads a public number all the time: it may be stale, it may never be less or missing."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.highest: Counter[str] = Counter()
        self.reads = 0
        self.stale = 0
        self.unreachable = 0
        self.wrong: list[str] = []

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as api:
            while True:
                for site in SITES:
                    await self._read(api, site)
                await asyncio.sleep(0.25)

    async def begin(self) -> None:
        """Read the number of every site: one that never was read may be missing."""
        async with (
            limited("the wait for the first numbers"),
            httpx.AsyncClient(base_url=self._url, timeout=30) as api,
        ):
            for site in SITES:
                await self._read(api, site)

    async def _read(self, api: httpx.AsyncClient, site: str) -> None:
        try:
            answer = await api.get(f"/api/counter/{site}", params={"metric": "views"})
        except httpx.TransportError:
            self.unreachable += 1
            return
        self.reads += 1
        if answer.status_code != 200:
            self.wrong.append(f"{site}: {answer.status_code} {answer.text}")
            return
        numbers = answer.json()
        self.stale += numbers["stale"]
        if numbers["total"] < self.highest[site]:
            self.wrong.append(f"{site}: {numbers['total']} after {self.highest[site]}")
        self.highest[site] = max(self.highest[site], numbers["total"])


class ChaosResult(msgspec.Struct, kw_only=True):
    """What a run found; `problems` is empty when every promise was kept.

    broken    connections that were closed before the answer
    repeated  requests that were sent again because of that or another fault
    """

    seed: int
    seconds: float
    faults: list[str]
    sent: int
    accepted: int
    unanswered: int
    landed_unanswered: int
    broken: int
    repeated: int
    refused: dict[str, int]
    reads: int
    stale_reads: int
    settle_seconds: float
    problems: list[str]

    def summary(self) -> str:
        """Return the figures as one line of JSON, without the list of faults."""
        values = msgspec.to_builtins(self)
        return json.dumps(values | {"faults": len(self.faults)})


class Result(ChaosResult, kw_only=True):
    """What a run found where everything broke.

    theirs    accepted hits of the other Luot
    imported  how often an access log was imported, and `undone` how often that was undone
    erased    how often a site was erased and made again
    """

    theirs: int
    imported: int
    undone: int
    erased: int


async def run(
    directory: Path, *, seed: int, faults_wanted: int, seconds: float, rate: float, say: Say
) -> Result:
    """Break things for so long or so often, whichever takes longer, then compare."""
    world = World(directory, neighbour=True)
    books = Books(seed)
    theirs = Books(seed + 1, THEIR_SITES, "theirs.example")
    try:
        await world.start()
        say(f"started; seed {seed}")
        api = world.services["api"].url
        watch = Watch(api)
        started = time.monotonic()
        imports = ImportLane(api, seed)
        erasing = EraseLane(api, seed)
        for each in (imports, erasing):
            await asyncio.to_thread(each.add_site)
        await watch.begin()
        watching = asyncio.create_task(watch.run())
        importing = asyncio.create_task(imports.run())
        erased = asyncio.create_task(erasing.run())
        done: list[str] = []
        end = (faults_wanted // 2, started + seconds)
        async with breaking(world.ingests(OURS), seed) as proxies:
            urls = [proxy.url for proxy in proxies]
            ours = Generator(books, urls, rate, repeats=REPEATS)
            their_urls = [service.url for service in world.ingests(THEIRS)]
            others = Generator(theirs, their_urls, THEIR_RATE, connections=4, repeats=REPEATS)
            async with ours.sending(), others.sending(), asyncio.TaskGroup() as lanes:
                for number, lane in enumerate((faults.OF_SERVICES, faults.OF_STORES)):
                    chance = random.Random(f"{seed} {number}")
                    lanes.create_task(break_things(world, chance, lane, done, say, end))
        broken = time.monotonic() - started
        for task in (importing, erased):
            task.cancel()
        await asyncio.gather(importing, erased, return_exceptions=True)
        await world.heal()
        settled = time.monotonic()
        ours_differ, theirs_differ = await asyncio.gather(
            settle(world.store_url(OURS), books, api), settle(world.store_url(THEIRS), theirs)
        )
        imports_differ, erased_differ = await asyncio.gather(
            imports.settle(world.store_url(OURS)), erasing.settle(world.store_url(OURS))
        )
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return Result(
            seed=seed,
            seconds=round(broken, 1),
            faults=done,
            sent=len(books.sent),
            accepted=len(books.accepted),
            unanswered=len(books.unanswered),
            landed_unanswered=await landed_unanswered(world.store_url(OURS), books),
            broken=sum(proxy.broken for proxy in proxies),
            repeated=books.repeated + theirs.repeated,
            theirs=len(theirs.accepted),
            refused=dict(books.refused),
            reads=watch.reads,
            stale_reads=watch.stale,
            settle_seconds=round(time.monotonic() - settled, 1),
            imported=imports.imported,
            undone=imports.undone,
            erased=erasing.erased,
            problems=[
                *ours_differ,
                *theirs_differ,
                *imports_differ,
                *erased_differ,
                *watch.wrong[:20],
            ],
        )
    finally:
        await world.stop()


@asynccontextmanager
async def breaking(ingests: Sequence[Service], seed: int) -> AsyncIterator[list[BreakingProxy]]:
    """Run a proxy before each ingest that breaks some connections."""
    chance = random.Random(f"{seed} broken")
    proxies = [BreakingProxy(service.port, BROKEN_SHARE, chance) for service in ingests]
    try:
        for proxy in proxies:
            await proxy.start()
        yield proxies
    finally:
        for proxy in proxies:
            await proxy.stop()


async def break_things(
    world: AnyWorld,
    chance: random.Random,
    lane: Sequence[Callable[[AnyWorld, random.Random], Awaitable[str]]],
    done: list[str],
    say: Say,
    end: tuple[int, float],
) -> None:
    """Break something of a lane, again and again: so often, and until then."""
    wanted, until = end
    broken = 0
    while broken < wanted or time.monotonic() < until:
        await asyncio.sleep(chance.uniform(0.2, 3.0))
        # The first of each lane happens in every run, however short.
        fault = chance.choice(lane) if broken else lane[0]
        if fault is faults.clickhouse_disk_full and not world.disk.mounted:
            continue
        async with limited(fault.__name__, FAULT_SECONDS):
            what = await fault(world, chance)
        broken += 1
        done.append(what)
        say(what)
