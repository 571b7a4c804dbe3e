"""`python -m tests.chaos.brokers.recovery`: how old public numbers become by each fault.

One fault at a time; prints the table of docs/kafka.md.
"""

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.books import Books, Generator
from tests.chaos.brokers import faults
from tests.chaos.brokers.faults import BrokersFault
from tests.chaos.brokers.freshness import Freshness
from tests.chaos.brokers.world import TOPIC, BrokersWorld
from tests.chaos.run import Watch
from tests.patience import rounds
from tests.servers.kafka_cluster import SESSION_SECONDS

RATE = 50.0
FRESH_SECONDS = 2.0
FAULTS: tuple[tuple[str, BrokersFault], ...] = (
    ("`kill -9` of an ingest, started again at once", faults.kill_an_ingest),
    ("`kill -9` of an aggregator", faults.kill_an_aggregator),
    ("`kill -9` of the leader of a partition", faults.kill_a_leader),
    ("the leader of a partition stands still for 12 s", faults.freeze_a_leader),
    ("`kill -9` of the active controller", faults.kill_the_controller),
    ("every ingest killed while two brokers stand still", faults.leave_ingests_in_doubt),
    ("`kill -9` of every broker", faults.kill_every_broker),
)


async def _until_fresh(fresh: Freshness) -> None:
    """Return once the numbers have been fresh for a moment."""
    since = time.monotonic()
    for _ in rounds(0.1):
        await asyncio.sleep(0.1)
        if fresh.now > FRESH_SECONDS:
            since = time.monotonic()
        elif time.monotonic() - since > FRESH_SECONDS:
            return
    raise AssertionError(f"the numbers are {fresh.now:.0f} s old")


async def _measure(directory: Path) -> None:
    world = BrokersWorld(directory, SESSION_SECONDS)
    books, chance = Books(1), random.Random(1)
    try:
        await world.start()
        watch = Watch(world.services["api"].url)
        fresh = Freshness(books, watch)
        background = [asyncio.create_task(each.run()) for each in (watch, fresh)]
        sys.stdout.write("| fault | accepted | numbers are at most so old |\n|---|---|---|\n")
        async with Generator(books, world.ingest_urls, RATE, repeats=3).sending():
            for name, fault in FAULTS:
                await world.cluster.until_complete(TOPIC)
                await _until_fresh(fresh)
                fresh.worst = 0.0
                before = len(books.accepted), len(books.sent)
                what = await fault(world, chance)
                await _until_fresh(fresh)
                accepted, sent = len(books.accepted) - before[0], len(books.sent) - before[1]
                sys.stdout.write(
                    f"| {name} ({what}) | {accepted} of {sent} | {fresh.worst:.1f} s |\n"
                )
                sys.stdout.flush()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        sys.stdout.write("".join(f"{wrong}\n" for wrong in watch.wrong))
    finally:
        await world.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="luot-recovery-") as folder:
        asyncio.run(_measure(Path(folder)))
