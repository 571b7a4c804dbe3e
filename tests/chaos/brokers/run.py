"""One run: hits go in, brokers and services break, all heals, and the books are compared."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tests.chaos.books import Books, Generator
from tests.chaos.brokers import faults
from tests.chaos.brokers.freshness import Freshness
from tests.chaos.brokers.world import BrokersWorld
from tests.chaos.compare import landed_unanswered, settle
from tests.chaos.imports import ImportLane
from tests.chaos.run import (
    FAULT_SECONDS,
    REPEATS,
    AnyWorld,
    ChaosResult,
    Say,
    Watch,
    break_things,
    breaking,
)
from tests.patience import limited


class BrokersResult(ChaosResult, kw_only=True):
    """What a run found where brokers broke.

    takeovers  seconds from the end of a worker until others owned what was its, the longest
    worst      seconds: how old the public numbers were at most
    imported   how often an access log was imported, and `undone` how often that was undone
    """

    takeovers: float
    worst: float
    imported: int
    undone: int


async def run(
    directory: Path,
    *,
    seed: int,
    faults_wanted: int,
    seconds: float,
    rate: float,
    session_seconds: float,
    say: Say,
    once: bool = False,
    idempotent: bool = False,
) -> BrokersResult:
    """Break things for so long or so often, whichever takes longer, then compare.

    once        readers send no hit again, and none has a key by which it would be known again
    idempotent  the same, with a producer that is idempotent and no more: it must fail
    """
    world = BrokersWorld(directory, session_seconds, idempotent=idempotent)
    once = once or idempotent
    try:
        return await break_world(
            world,
            (faults.OF_SERVICES, faults.OF_BROKERS),
            Books(seed, once=once),
            seed=seed,
            end=(faults_wanted // 2, seconds),
            rate=rate,
            repeats=0 if once else REPEATS,
            say=say,
            imports=not idempotent,
        )
    finally:
        await world.stop()


async def break_world(
    world: AnyWorld,
    lanes: Sequence[Sequence[Callable[[AnyWorld, random.Random], Awaitable[str]]]],
    books: Books,
    *,
    seed: int,
    end: tuple[int, float],
    rate: float,
    repeats: int,
    say: Say,
    imports: bool = False,
) -> BrokersResult:
    """Start a world, break one thing of each lane at a time, heal it and compare.

    end      how many faults of each lane there are at least, and how many seconds
    repeats  how often a reader sends a hit again whose answer did not come
    imports  also import an access log and undo that, again and again
    """
    wanted, seconds = end
    await world.start()
    say(f"started; seed {seed}")
    api = world.services["api"].url
    watch = Watch(api)
    fresh = Freshness(books, watch)
    lane_of_imports = ImportLane(api, seed)
    started = time.monotonic()
    await watch.begin()
    importing: list[asyncio.Task[None]] = []
    if imports:
        await asyncio.to_thread(lane_of_imports.add_site)
        importing.append(asyncio.create_task(lane_of_imports.run()))
    background = [asyncio.create_task(each.run()) for each in (watch, fresh)]
    done: list[str] = []
    async with breaking(world.ingests(), seed) as proxies:
        hits = Generator(books, [proxy.url for proxy in proxies], rate, repeats=repeats)
        async with hits.sending(), asyncio.TaskGroup() as tasks:
            for number, lane in enumerate(lanes):
                chance = random.Random(f"{seed} {number}")
                until = (wanted, started + seconds)
                tasks.create_task(break_things(world, chance, lane, done, say, until))
    broken = time.monotonic() - started
    for task in importing:
        task.cancel()
    await asyncio.gather(*importing, return_exceptions=True)
    say(f"broken for {broken:.0f} s, healing")
    async with limited("healing", FAULT_SECONDS):
        await world.heal()
    say("healed, comparing")
    settled = time.monotonic()
    differ = await settle(world.store_url(), books, api)
    if imports:
        differ += await lane_of_imports.settle(world.store_url())
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    return BrokersResult(
        seed=seed,
        seconds=round(broken, 1),
        faults=done,
        sent=len(books.sent),
        accepted=len(books.accepted),
        unanswered=len(books.unanswered),
        landed_unanswered=await landed_unanswered(world.store_url(), books),
        broken=sum(proxy.broken for proxy in proxies),
        repeated=books.repeated,
        refused=dict(books.refused),
        reads=watch.reads,
        stale_reads=watch.stale,
        takeovers=round(max(world.takeovers, default=0.0), 1),
        worst=round(fresh.worst, 1),
        imported=lane_of_imports.imported,
        undone=lane_of_imports.undone,
        settle_seconds=round(time.monotonic() - settled, 1),
        problems=[*differ, *watch.wrong[:20]],
    )
