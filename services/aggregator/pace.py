"""When a worker flushes: less often when many share one store."""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable

from services.aggregator.pending import Pending

WRITERS = 4
"""Up to so many workers flush as often as is set; more slow down, up to the limit below."""
LONGEST_SECONDS = 1.5
"""With the flush itself and the read after it, a number is still public 2.5 s after its hit."""


def flush_period(set_seconds: float, owned: int, partitions: int) -> float:
    """Return the seconds from one flush of a worker to the next.

    set_seconds  for one worker alone; the minimum
    owned        partitions of this worker; the others have about as many each

    Every flush inserts into several tables, costing consensus among replicas and merges of parts,
    however few rows it has. So the store gets as many flushes from 6 workers as from 4, and no
    worker has to ask how many there are.
    """
    writers = partitions / max(1, owned)
    return max(set_seconds, min(LONGEST_SECONDS, set_seconds * writers / WRITERS))


async def flush_forever(
    pending: Pending, period: Callable[[], float], flush: Callable[[], Awaitable[None]]
) -> None:
    """Flush once per period, or when full; the first hits after a pause are flushed at once."""
    begun = -math.inf
    while True:
        await pending.arrived.wait()
        rest = begun + period() - time.monotonic()
        if rest > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pending.full.wait(), rest)
        begun = time.monotonic()
        pending.arrived.clear()
        await flush()
