"""One run: hits go in, everything breaks, everything heals, and the books are compared."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from services.model.calendar import EPOCH, Grain, period_start, to_date, to_day
from services.store.interface import Store
from services.store.open import open_store
from tests.chaos import faults
from tests.chaos.books import PATHS, SITES, Books, Generator
from tests.chaos.faults import Fault
from tests.chaos.world import World

SETTLE_SECONDS = 180.0
"""How long everything may take to be counted once everything is healed."""

Say = Callable[[str], object]


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


class Result(msgspec.Struct):
    """What a run found; `problems` is empty when every promise was kept."""

    seed: int
    seconds: float
    faults: list[str]
    sent: int
    accepted: int
    unanswered: int
    landed_unanswered: int
    refused: dict[str, int]
    reads: int
    stale_reads: int
    settle_seconds: float
    problems: list[str]

    def summary(self) -> str:
        """Return the figures as one line of JSON, without the list of faults."""
        values = msgspec.to_builtins(self)
        return json.dumps(values | {"faults": len(self.faults)})


async def run(
    directory: Path, *, seed: int, faults_wanted: int, seconds: float, rate: float, say: Say
) -> Result:
    """Break things for so long or so often, whichever takes longer, then compare."""
    world = World(directory)
    books = Books(seed)
    try:
        await world.start()
        say(f"started; seed {seed}")
        generator = Generator(books, world.ingest_urls, rate)
        watch = Watch(world.services["api"].url)
        started = time.monotonic()
        watching = asyncio.create_task(watch.run())
        done: list[str] = []
        end = (faults_wanted // 2, started + seconds)
        async with generator.sending(), asyncio.TaskGroup() as lanes:
            for number, lane in enumerate((faults.OF_SERVICES, faults.OF_STORES)):
                chance = random.Random(f"{seed} {number}")
                lanes.create_task(_break(world, chance, lane, done, say, end))
        broken = time.monotonic() - started
        await world.heal()
        settled = time.monotonic()
        problems = await settle(world, books)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return Result(
            seed=seed,
            seconds=round(broken, 1),
            faults=done,
            sent=len(books.sent),
            accepted=len(books.accepted),
            unanswered=len(books.unanswered),
            landed_unanswered=await _landed_unanswered(world, books),
            refused=dict(books.refused),
            reads=watch.reads,
            stale_reads=watch.stale,
            settle_seconds=round(time.monotonic() - settled, 1),
            problems=problems + watch.wrong[:20],
        )
    finally:
        await world.stop()


async def _break(
    world: World,
    chance: random.Random,
    lane: Sequence[Fault],
    done: list[str],
    say: Say,
    end: tuple[int, float],
) -> None:
    wanted, until = end
    broken = 0
    while broken < wanted or time.monotonic() < until:
        await asyncio.sleep(chance.uniform(0.2, 3.0))
        fault = chance.choice(lane)
        if fault is faults.clickhouse_disk_full and not world.disk.mounted:
            continue
        what = await fault(world, chance)
        broken += 1
        done.append(what)
        say(what)


async def settle(world: World, books: Books) -> list[str]:
    """Wait until every accepted hit is in the store and the counters agree with the books."""
    store = open_store(world.clickhouse.url)
    try:
        if problems := await _agree(world, store, books):
            return problems
        # What is counted twice shows only after a while. Nothing that was counted goes away
        # again, so comparing until all agree hides nothing but an answer that was slow.
        await asyncio.sleep(3)
        return await _agree(world, store, books)
    finally:
        await store.close()


async def _agree(world: World, store: Store, books: Books) -> list[str]:
    """Compare until there is no difference, or time is up; return what differs then."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        problems = await _compare(world, store, books)
        if not problems or time.monotonic() > deadline:
            return problems
        await asyncio.sleep(1)


async def _landed_unanswered(world: World, books: Books) -> int:
    store = open_store(world.clickhouse.url)
    try:
        rows = await store.execute("SELECT DISTINCT source FROM hits")
    finally:
        await store.close()
    return len({source for (source,) in rows} - books.accepted)


async def _compare(world: World, store: Store, books: Books) -> list[str]:
    """Return every difference between the books, the raw hits, the counters and the API."""
    raw = await store.execute("SELECT source, day, count() FROM hits FINAL GROUP BY source, day")
    problems = []
    landed = Counter({source: count for source, _, count in raw})
    if lost := books.accepted - landed.keys():
        problems.append(f"{len(lost)} accepted hits are not in the store: {sorted(lost)[:5]}")
    if doubled := [source for source, count in landed.items() if count > 1]:
        problems.append(f"{len(doubled)} hits are in the store twice: {doubled[:5]}")
    if invented := landed.keys() - books.accepted - books.unanswered:
        problems.append(f"{len(invented)} hits were never sent or refused: {sorted(invented)[:5]}")
    if problems:
        return problems
    expected_views: Counter[tuple[Any, ...]] = Counter()
    visitors: dict[str, set[int]] = {site: set() for site in SITES}
    for source, day, _ in raw:
        site, path, visitor = books.sent[source]
        visitors[site].add(visitor)
        for grain in Grain:
            start = to_date(period_start(to_day(day), grain))
            expected_views[site, grain.value, start, path] += 1
            expected_views[site, grain.value, start, ""] += 1
    counted = await store.execute(
        "SELECT site, grain, start, path, argMax(views, position),"
        " argMax(visits, position) FROM counters GROUP BY site, grain, start, path"
    )
    views = {tuple(key): count for *key, count, _ in counted}
    if views != dict(expected_views):
        wrong = {k: (views.get(k), expected_views.get(k)) for k in views.keys() | expected_views}
        wrong = {key: pair for key, pair in wrong.items() if pair[0] != pair[1]}
        problems.append(
            f"{len(wrong)} counters differ (counted, expected): {list(wrong.items())[:5]}"
        )
    for grain in Grain:
        for site in SITES:
            own = sum(v for s, g, _, path, _, v in counted if (s, g, path) == (site, grain, ""))
            pages = sum(v for s, g, _, path, _, v in counted if (s, g) == (site, grain) and path)
            if not own == pages == len(visitors[site]):
                problems.append(
                    f"visits of {site} by {grain}: {own}, of its pages {pages},"
                    f" expected {len(visitors[site])}"
                )
    return problems or await _compare_public(world, expected_views, visitors)


async def _compare_public(
    world: World, expected: Counter[tuple[Any, ...]], visitors: dict[str, set[int]]
) -> list[str]:
    problems = []
    async with httpx.AsyncClient(base_url=world.services["api"].url, timeout=30) as api:
        for site in SITES:
            query: dict[str, Any] = {"metric": "views", "path": list(PATHS)}
            numbers = (await api.get(f"/api/counter/{site}", params=query)).json()
            total = expected[site, "total", EPOCH, ""]
            if (numbers.get("total"), numbers.get("stale")) != (total, False):
                problems.append(f"{site} shows {numbers}, expected {total}")
                continue
            for path, count in numbers["paths"].items():
                if count["views"] != expected[site, "total", EPOCH, path]:
                    problems.append(f"{site}{path} shows {count['views']}")
            visits = (await api.get(f"/api/counter/{site}", params={"metric": "visits"})).json()
            if visits.get("total") != len(visitors[site]):
                problems.append(f"{site} shows {visits} by visits")
    return problems
