"""One run: hits go in, Redis fails over, all heals, and the books are compared."""

from pathlib import Path

from tests.chaos.books import Books
from tests.chaos.brokers.run import BrokersResult, break_world
from tests.chaos.replicas import faults
from tests.chaos.replicas.world import ReplicasWorld
from tests.chaos.run import REPEATS, Say


async def run(
    directory: Path, *, seed: int, faults_wanted: int, seconds: float, rate: float, say: Say
) -> BrokersResult:
    """Break things for so long or so often, whichever takes longer, then compare."""
    world = ReplicasWorld(directory)
    try:
        return await break_world(
            world,
            (faults.OF_SERVICES, faults.OF_REDIS),
            Books(seed),
            seed=seed,
            end=(faults_wanted // 2, seconds),
            rate=rate,
            repeats=REPEATS,
            say=say,
        )
    finally:
        await world.stop()
