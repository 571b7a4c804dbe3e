"""The hot counter rows of one partition, cached in memory."""

from collections.abc import Collection, Mapping
from itertools import islice

from services.store import counters
from services.store.counters import ABSENT, CounterKey, CounterRow
from services.store.interface import Store


class HotRows:
    """Rows as stored; the least recently changed are evicted first."""

    def __init__(self) -> None:
        self._rows: dict[CounterKey, CounterRow] = {}

    def __len__(self) -> int:
        return len(self._rows)

    async def holding(
        self, store: Store, keys: Collection[CounterKey]
    ) -> Mapping[CounterKey, CounterRow]:
        """Load what is missing of these keys, and return the rows in memory.

        Raises StoreUnavailableError.
        """
        rows = self._rows
        if missing := [key for key in keys if key not in rows]:
            loaded = await counters.load(store, missing)
            rows.update((key, loaded.get(key, ABSENT)) for key in missing)
        return rows

    def put(self, changed: Mapping[CounterKey, CounterRow], limit: int) -> None:
        """Cache rows that were just written, and evict the oldest over the limit."""
        rows = self._rows
        for key, row in changed.items():
            rows.pop(key, None)
            rows[key] = row
        if len(rows) > limit:
            for key in list(islice(rows, len(rows) - limit)):
                del rows[key]
