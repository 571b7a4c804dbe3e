"""One run: hits go in, servers of the cluster go, all heals, and the books are compared."""

from pathlib import Path

import msgspec

from tests.chaos.books import Books
from tests.chaos.brokers.run import BrokersResult, break_world
from tests.chaos.run import REPEATS, Say
from tests.chaos.shards import faults
from tests.chaos.shards.world import ShardsWorld


async def run(
    directory: Path,
    *,
    seed: int,
    faults_wanted: int,
    seconds: float,
    rate: float,
    say: Say,
    unchecked: bool = False,
) -> BrokersResult:
    """Break things for so long or so often, whichever takes longer, then compare.

    unchecked  aggregators take any replica that answers: it must fail
    """
    world = ShardsWorld(directory, unchecked=unchecked)
    try:
        result = await break_world(
            world,
            (faults.OF_SERVICES, faults.OF_SHARDS),
            Books(seed),
            seed=seed,
            end=(faults_wanted // 2, seconds),
            rate=rate,
            repeats=REPEATS,
            say=say,
        )
        problems = [*result.problems, *await world.differing()]
        return msgspec.structs.replace(result, problems=problems)
    finally:
        await world.stop()
