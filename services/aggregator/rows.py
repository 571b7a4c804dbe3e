"""The hot counter rows of one partition, cached in memory."""

from collections.abc import Collection, Mapping
from sys import getsizeof

from services.model.calendar import Grain
from services.store import counters
from services.store.counters import ABSENT, CounterKey, CounterRow
from services.store.interface import Store

BYTES_A_ROW = 400
"""What a row of a page with an ordinary name takes; those with long names count for several."""
_BYTES_BESIDE_PATH = 300


class HotRows:
    """Rows as stored; the least recently changed are evicted first."""

    def __init__(self) -> None:
        self._rows: dict[CounterKey, CounterRow] = {}
        self._bytes = 0

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
            for key in missing:
                rows[key] = loaded.get(key, ABSENT)
            self._bytes += sum(map(_size, missing))
        return rows

    def put(self, changed: Mapping[CounterKey, CounterRow], limit: int) -> None:
        """Cache rows that were just written, and evict the oldest over the limit.

        limit  ordinary rows, of BYTES_A_ROW
        """
        rows = self._rows
        for key, row in changed.items():
            if rows.pop(key, None) is None:
                self._bytes += _size(key)
            rows[key] = row
        evicted: list[CounterKey] = []
        for key in rows:
            if len(rows) - len(evicted) <= limit and self._bytes <= limit * BYTES_A_ROW:
                break
            evicted.append(key)
            self._bytes -= _size(key)
        for key in evicted:
            del rows[key]


def _size(key: CounterKey) -> int:
    # The rows of all grains of a page share its path.
    return _BYTES_BESIDE_PATH + getsizeof(key[3]) // len(Grain)
