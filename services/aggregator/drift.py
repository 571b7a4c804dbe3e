"""Recounts the raw hits of the last days periodically, to measure the drift of the counters.

Each aggregator recounts the partitions that it owns, so no drift is reported twice.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection

from services.aggregator import metrics
from services.model.partition import partition_of
from services.runtime.outage import Outage
from services.store.counts.drift import Difference, recount
from services.store.interface import Store, StoreError

DAYS = 3
"""Today and the two days before: hardly any hit arrives later than that."""
FIRST_SECONDS = 60.0
NAMED_ROWS = 10
_DAY_SECONDS = 86_400

log = logging.getLogger(__name__)


async def watch_forever(
    store: Store, partitions: int, owned: Callable[[], Collection[int]], seconds: float
) -> None:
    """Recount at this interval, first soon after the start; 0 is never."""
    pause = min(seconds, FIRST_SECONDS)
    outage = Outage(log, "cannot recount raw hits", "raw hits are recounted")
    while seconds:
        await asyncio.sleep(pause)
        pause = seconds
        try:
            await measure(store, partitions, frozenset(owned()), time.time())
        except StoreError as error:
            outage.begins(error)
        else:
            outage.ends()


async def measure(
    store: Store, partitions: int, owned: Collection[int], now: float
) -> list[Difference]:
    """Recount the partitions owned, as of this time in seconds, and set the metrics."""
    first_day = int(now) // _DAY_SECONDS - (DAYS - 1)
    differ = await recount(store, partitions, first_day, owned)
    off = {partition: [0, 0] for partition in owned}
    for row in differ:
        of_partition = off[partition_of(row.site, partitions)]
        of_partition[0] += abs(row.views - row.counted_views)
        of_partition[1] += abs(row.visits - row.counted_visits)
    metrics.drift.clear()
    for partition, (views, visits) in off.items():
        metrics.drift.labels(str(partition), "views").set(views)
        metrics.drift.labels(str(partition), "visits").set(visits)
    metrics.last_recount.set(now)
    for row in differ[:NAMED_ROWS]:
        log.error("counters differ from raw hits: %s", row)
    if len(differ) > NAMED_ROWS:
        log.error("and %d rows more; `luot doctor` names them all", len(differ) - NAMED_ROWS)
    return differ
