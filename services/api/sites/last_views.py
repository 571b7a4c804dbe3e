"""When each site had its last view, of many sites together."""

from collections.abc import Iterable

from services.log.interface import Log
from services.model.calendar import Grain
from services.model.partition import partition_of
from services.store import counters
from services.store.interface import Store

_WHOLE_SITE = ""


async def last_views(store: Store, hits: Log, names: Iterable[str]) -> dict[str, float]:
    """Return the log time of the last counted view of each name that has one, in ms since 1970.

    names  that sites are kept under

    Raises StoreError and LogError.
    """
    totals = [(name, Grain.TOTAL.value, 0, _WHOLE_SITE) for name in names]
    found = await counters.load(store, totals)
    return {
        name: await hits.positions.time_of(partition_of(name, hits.partitions), position)
        for (name, *_), (_, _, position) in found.items()
    }
