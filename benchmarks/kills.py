"""After `kill -9`: how long until the public numbers go on, with the log in Redis and in Kafka.

Two ingests, two aggregators and the API, each killed again and again while hits come in. Printed
is the age of the public numbers, as a reader sees them: the worst after each kill.
"""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import Result, exact, summary
from tests.chaos.books import Books, Generator
from tests.chaos.brokers.freshness import Freshness
from tests.chaos.brokers.world import BrokersWorld
from tests.chaos.compare import settle
from tests.chaos.faults import start_together
from tests.chaos.run import Watch
from tests.chaos.world import World
from tests.patience import limited
from tests.require import installed
from tests.servers.kafka_cluster import SESSION_SECONDS
from tests.servers.services import Service

KILLS = 3
QUICK_KILLS = 2
RATE = 100.0
"""Hits a second: few enough that nothing but the kills is in the way."""
CALM_AGE = 2.5
"""Seconds: public numbers that nothing disturbs are not older, on a machine that is busy, too."""
CALM_LOOKS = 30
LOOK_SECONDS = 0.1


class Watched(NamedTuple):
    """A Luot that runs, and what is seen of it from outside."""

    world: World
    watch: Watch
    fresh: Freshness

    async def calm(self) -> None:
        """Return once the numbers have been fresh for some seconds."""
        calm = 0
        async with limited("the wait for fresh numbers"):
            while calm < CALM_LOOKS:
                calm = calm + 1 if self.fresh.now < CALM_AGE else 0
                await asyncio.sleep(LOOK_SECONDS)

    async def oldest(self) -> float:
        """Return how old the numbers were at most, from the last call until they are fresh."""
        await self.calm()
        worst, self.fresh.worst = self.fresh.worst, 0.0
        return worst


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure with everything on this machine, the brokers, too."""
    yield from asyncio.run(_killed("Redis", 0, quick))
    if installed("java") and installed("mvn"):
        yield from asyncio.run(_killed("one Kafka broker", 1, quick))
        if not quick:
            yield from asyncio.run(_killed("three Kafka brokers", 3, quick))


async def _killed(name: str, brokers: int, quick: bool) -> list[Result]:
    kills = QUICK_KILLS if quick else KILLS
    books = Books(secrets.randbits(32))
    async with _running(books, brokers) as seen:
        ages: dict[str, list[float]] = {"undisturbed": [await seen.oldest() for _ in range(2)]}
        for what, back in (("an ingest, back at once", True), ("an ingest, for good", False)):
            ages[what] = [await _kill_an_ingest(seen, number, back) for number in range(kills)]
        ages["an aggregator"], ages["it comes back"] = [], []
        for number in range(kills):
            killed, joined = await _kill_an_aggregator(seen, number)
            ages["an aggregator"].append(killed)
            ages["it comes back"].append(joined)
    worst = max(ages["an ingest, back at once"] + ages["an ingest, for good"])
    return [
        *(summary(f"{name}: age, {what}", values, unit="s") for what, values in ages.items()),
        summary(f"{name}: partitions taken over", seen.world.takeovers, unit="s"),
        exact(f"{name}: age, an ingest, worst", worst, "s"),
        exact(f"{name}: partitions taken over, worst", max(seen.world.takeovers), "s"),
        exact(f"{name}: public numbers that fell", len(seen.watch.wrong), "of them"),
    ]


@asynccontextmanager
async def _running(books: Books, brokers: int) -> AsyncIterator[Watched]:
    """Run everything under load; afterwards the numbers must be those of the books."""
    with tempfile.TemporaryDirectory(prefix="luot-benchmark-") as folder:
        place = Path(folder)
        world = (
            BrokersWorld(place, SESSION_SECONDS, brokers) if brokers else World(place, faults=False)
        )
        try:
            await world.start()
            api = world.services["api"].url
            watch = Watch(api)
            seen = Watched(world, watch, Freshness(books, watch))
            tasks = [asyncio.create_task(each.run()) for each in (watch, seen.fresh)]
            async with Generator(books, world.ingest_urls, RATE, repeats=3).sending():
                await seen.oldest()
                yield seen
            if problems := await settle(world.store_url(), books, api):
                raise RuntimeError("; ".join(problems))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await world.stop()


async def _kill_an_ingest(seen: Watched, number: int, back: bool) -> float:
    """Kill one in the middle of appends; it is started again at once, or when all is well."""
    services = seen.world.ingests()
    service = services[number % len(services)]
    service.kill()
    if back:
        await start_together((service,))
        return await seen.oldest()
    age = await seen.oldest()
    await _start(seen, service)
    return age


async def _kill_an_aggregator(seen: Watched, number: int) -> tuple[float, float]:
    """Kill one, and start it once the other has its partitions; the numbers' age after each."""
    service = seen.world.services[f"aggregator-{number % 2 + 1}"]
    pid = service.pid
    service.kill()
    await seen.world.until_taken_over(service, pid)
    return await seen.oldest(), await _start(seen, service)


async def _start(seen: Watched, service: Service) -> float:
    await start_together((service,))
    return await seen.oldest()
