"""The hot counter rows of one partition, cached in memory."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from sys import getsizeof
from typing import Generic, Self, TypeVar

from services.aggregator.fold import WHOLE_SITE, Added, Folded, apply, changes
from services.model.calendar import Grain
from services.store.counts import counters
from services.store.counts.counters import ABSENT, CounterKey, CounterRow
from services.store.interface import InsertColumn, Store

BYTES_A_ROW = 400
"""Size of a row of a page with an ordinary name; those with long names count for several."""
_BYTES_BESIDE_PATH = 300


class ChangedRows(ABC):
    """The rows of one partition that a flush touches, with their new values."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many have changed."""

    @property
    @abstractmethod
    def sites(self) -> set[str]:
        """The sites of all touched rows, changed or not."""

    @property
    @abstractmethod
    def reached(self) -> Mapping[str, int]:
        """The position of the last view of each site that has any.

        If all rows go to one server, it may be that of the last view over all these sites.
        """

    @abstractmethod
    def columns_with(self, others: Sequence[Self]) -> Mapping[str, InsertColumn]:
        """Return the columns of the table `counters`, for these rows and those of others."""


RunT = TypeVar("RunT")
ChangedT = TypeVar("ChangedT", bound=ChangedRows)


class HeldRows(ABC, Generic[RunT, ChangedT]):
    """Rows of one partition as stored; the least recently changed are evicted first."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many there are."""

    @abstractmethod
    async def changed(self, store: Store, runs: Sequence[RunT]) -> ChangedT:
        """Return the rows as changed by runs, in order; missing ones are loaded.

        The rows held are not modified. Raises StoreUnavailableError.
        """

    @abstractmethod
    def put(self, changed: ChangedT, limit: int) -> None:
        """Hold rows that were just written, and evict the oldest beyond the limit.

        limit  ordinary rows
        """


class HotChanges(ChangedRows):
    """See ChangedRows."""

    def __init__(
        self, rows: Mapping[CounterKey, CounterRow], by_row: Mapping[CounterKey, Added]
    ) -> None:
        self.rows = apply(rows, by_row)
        self._by_row = by_row

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def sites(self) -> set[str]:
        """See ChangedRows."""
        return {site for site, _, _, _ in self._by_row}

    @property
    def reached(self) -> Mapping[str, int]:
        """See ChangedRows."""
        return {
            site: added.last
            for (site, grain, _, path), added in self._by_row.items()
            if grain == Grain.TOTAL and path == WHOLE_SITE
        }

    def columns_with(self, others: Sequence[Self]) -> Mapping[str, InsertColumn]:
        """See ChangedRows."""
        rows = dict(self.rows)
        for other in others:
            rows |= other.rows
        return counters.columns(rows)


class HotRows(HeldRows[Folded, HotChanges]):
    """See HeldRows."""

    def __init__(self) -> None:
        self._rows: dict[CounterKey, CounterRow] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    async def changed(self, store: Store, runs: Sequence[Folded]) -> HotChanges:
        """See HeldRows."""
        by_row = changes(runs)
        return HotChanges(await self._holding(store, by_row), by_row)

    async def _holding(
        self, store: Store, keys: Collection[CounterKey]
    ) -> Mapping[CounterKey, CounterRow]:
        """Load what is missing of these keys, and return the rows in memory."""
        rows = self._rows
        if missing := [key for key in keys if key not in rows]:
            loaded = await counters.load(store, missing)
            for key in missing:
                rows[key] = loaded.get(key, ABSENT)
            self._bytes += sum(map(_size, missing))
        return rows

    def put(self, changed: HotChanges, limit: int) -> None:
        """See HeldRows; the limit also applies in bytes, at BYTES_A_ROW per row."""
        rows = self._rows
        for key, row in changed.rows.items():
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
