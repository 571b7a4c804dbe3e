"""Up to when the views of sites are counted: lagging numbers do not mean a quiet portal."""

import math
from collections.abc import Iterable

from services.log.interface import Log
from services.model.partition import partition_of
from services.state.spooled_hits import SpooledHits
from services.state.state import State

STALE_MS = 5 * 60_000
"""Sites that lag by more are not checked."""


async def are_counted(log: Log, state: State, names: Iterable[str], now_ms: int) -> set[str]:
    """Return those of the names that sites are kept under whose hits are counted up to now.

    A partition lags if its oldest entry not in the store came minutes ago; every partition lags
    while hits wait in the spool of an ingest process. Raises LogError, StateError.
    """
    spooled = await SpooledHits(state).read(now_ms)
    if spooled.hits and spooled.waits_ms > STALE_MS:
        return set()
    of_names = {name: partition_of(name, log.partitions) for name in names}
    partitions = sorted(set(of_names.values()))
    until: dict[int, float] = {}
    for extent in await log.positions.extents(partitions):
        committed = extent.committed or 0
        # All before the committed position is counted, and the oldest of the rest is not older.
        until[extent.partition] = (
            math.inf
            if committed >= extent.end
            else await log.positions.time_of(extent.partition, committed)
        )
    return {name for name, partition in of_names.items() if until[partition] > now_ms - STALE_MS}
