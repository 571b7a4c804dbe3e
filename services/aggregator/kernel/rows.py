"""The counter rows of one partition in the library: HotRows, on arrays."""

import ctypes
from collections.abc import Sequence
from ctypes import byref, c_int64, c_uint32
from typing import Self

from services.aggregator.kernel.fold import KernelFolded
from services.aggregator.kernel.library import Library, array_of, checked
from services.aggregator.rows import ChangedRows, HeldRows
from services.model.calendar import Grain
from services.store.counts import counters
from services.store.counts.counters import ABSENT, CounterKey
from services.store.interface import Store
from services.store.native_column import NativeColumn, UnwritableError

BYTES_A_ROW = 100
"""Size of a row of a page with an ordinary name; those with long names count for several."""
_BYTES_BESIDE_PATH = 72

_GRAINS = tuple(grain.value for grain in Grain)
_TYPES = {
    "site": "String",
    "path": "String",
    "grain": f"Enum8({', '.join(f'{name!r} = {at}' for at, name in enumerate(_GRAINS, 1))})",
    "start": "Date",
    "views": "UInt64",
    "visits": "UInt64",
    "position": "UInt64",
}
"""The columns of the table, in the order of changes.c, with the types they are written as."""


class KernelChanges(ChangedRows):
    """What runs of one partition, in order, change; see ChangedRows."""

    def __init__(self, library: Library, runs: Sequence[KernelFolded]) -> None:
        self.library = library
        self._runs = runs
        self._changed = 0
        self.at = library.changes(array_of([run.entries.at for run in runs]), len(runs))
        if not self.at:
            raise MemoryError("the fold has no memory")

    def __del__(self) -> None:
        """Give the memory back."""
        if getattr(self, "at", None):
            self.library.end_changes(self.at)

    def __len__(self) -> int:
        return self._changed

    @property
    def sites(self) -> set[str]:
        """See ChangedRows."""
        numbers = (c_uint32 * self.library.changed_sites(self.at, None))()
        self.library.changed_sites(self.at, numbers)
        return {self._text(number) for number in set(numbers)}

    @property
    def reached(self) -> dict[str, int]:
        """See ChangedRows."""
        end = int(self.library.changes_end(self.at))
        return dict.fromkeys(self.sites, end) if end >= 0 else {}

    def columns_with(self, others: Sequence[Self]) -> dict[str, NativeColumn]:
        """See ChangedRows."""
        parts = (self, *others)
        return {name: KernelRowColumn(parts, name) for name in _TYPES}

    def missing(self, count: int) -> list[CounterKey]:
        """Return the keys of the rows not held, so many of them."""
        values = (c_uint32 * (4 * count))()
        self.library.missing_rows(self.at, values)
        plain = list(values)
        names = {number: self._text(number) for number in {*plain[::4], *plain[1::4]}}
        return [
            (names[site], _GRAINS[grain], start, names[path])
            for site, path, grain, start in zip(
                plain[::4], plain[1::4], plain[2::4], plain[3::4], strict=True
            )
        ]

    def apply(self, held: int) -> None:
        """Compute the new rows from what is added and the rows held."""
        self._changed = checked(self.library.apply(self.at, held))
        self._runs = ()

    def _text(self, number: int) -> str:
        length = c_uint32()
        at = self.library.changes_text(self.at, number, byref(length))
        return ctypes.string_at(at, length.value).decode()


class KernelRows(HeldRows[KernelFolded, KernelChanges]):
    """Rows as stored; the least recently changed are evicted first."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._at = library.rows()
        if not self._at:
            raise MemoryError("the fold has no memory")

    def __del__(self) -> None:
        """Give the memory back."""
        if getattr(self, "_at", None):
            self._library.end_rows(self._at)

    def __len__(self) -> int:
        return int(self._library.rows_held(self._at))

    async def changed(self, store: Store, runs: Sequence[KernelFolded]) -> KernelChanges:
        """See HeldRows."""
        library = self._library
        changes = KernelChanges(library, runs)
        while count := checked(library.find_rows(self._at, changes.at)):
            missing = changes.missing(count)
            loaded = await counters.load(store, missing)
            values = [number for key in missing for number in loaded.get(key, ABSENT)]
            checked(library.hold(self._at, changes.at, (c_int64 * len(values))(*values)))
        changes.apply(self._at)
        return changes

    def put(self, changed: KernelChanges, limit: int) -> None:
        """See HeldRows."""
        most_bytes = limit * BYTES_A_ROW
        checked(self._library.put(self._at, changed.at, limit, most_bytes, _BYTES_BESIDE_PATH))


class KernelRowColumn(NativeColumn):
    """A column of the changed rows of several partitions."""

    def __init__(self, parts: Sequence[KernelChanges], name: str) -> None:
        self._parts = parts
        self._name = name
        self._size = sum(map(len, parts))

    def __len__(self) -> int:
        """Return how many rows it has a value for."""
        return self._size

    def native(self, of_type: str, coding: int) -> bytes:
        """See NativeColumn."""
        if of_type != _TYPES[self._name]:
            raise UnwritableError(f"column {self._name} cannot be written as {of_type}")
        library = self._parts[0].library
        column = list(_TYPES).index(self._name)
        of = array_of([part.at for part in self._parts])
        return library.written(library.changed_column, of, len(self._parts), column)
