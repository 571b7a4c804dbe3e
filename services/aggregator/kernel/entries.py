"""Entries of the log as decoded by the library: columns, with strings by number."""

from array import array
from collections.abc import Sequence
from ctypes import c_int64, c_uint32, memmove, sizeof
from typing import Any, Literal

from services.aggregator.kernel.library import Library, array_of, checked
from services.log import batch
from services.log.batch import Batch
from services.store.native_column import NativeColumn, UnwritableError

TEXTS = (
    "site", "path", "host", "source", "device", "browser", "os", "country", "own_path",
    "utm_medium", "utm_campaign", "utm_content", "utm_term", "utm_source", "region",
)  # fmt: skip
NUMBERS: dict[str, tuple[str, Literal["B", "H", "q", "Q"]]] = {
    "at": ("UInt64", "q"), "day": ("Date", "H"), "visitor": ("UInt64", "Q"),
    "visit": ("UInt8", "B"), "bot": ("UInt8", "B"), "position": ("UInt64", "q"),
    "idx": ("UInt16", "H"), "view_id": ("UInt64", "Q"),
}  # fmt: skip
"""By name: the type of ClickHouse, and what `array` calls it."""
COLUMNS = (*TEXTS, *NUMBERS)
"""In the order of columns.c."""
ALL_DAYS = (0, 1 << 16)

_PLAIN, _CODED = 0, 1


class KernelEntries:
    """The hits of consecutive entries of one partition. Once folded, without duplicates."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.at = library.run()
        if not self.at:
            raise MemoryError("the fold has no memory")
        self._entries = 0

    def __len__(self) -> int:
        """Return how many entries were added."""
        return self._entries

    def __del__(self) -> None:
        """Free the memory."""
        if getattr(self, "at", None):
            self.library.end_run(self.at)

    def add(self, position: int, time_ms: int, payload: bytes, hits: int, version: int) -> None:
        """Add an entry of so many hits. Raises BatchError; see services.log.batch.decode."""
        if version == batch.SCHEMA_VERSION and 0 < hits <= batch.MAX_HITS:
            added = self.library.add(self.at, position, time_ms, payload, len(payload), hits)
            if added > 0:
                self._entries += 1
                return
            if added != -1:
                checked(added)
        # Python decides, and reports what is wrong; merely another encoding is accepted.
        self.add_batch(position, time_ms, batch.decode(payload, hits=hits, version=version))

    def add_batch(self, position: int, time_ms: int, decoded: Batch) -> None:
        """Add an already decoded entry."""
        payload = batch.encode(list(decoded.hits()))
        size = len(decoded)
        checked(self.library.add(self.at, position, time_ms, payload, len(payload), size))
        self._entries += 1

    def hits(self) -> int:
        """Return how many hits there are."""
        return int(self.library.hits(self.at))

    def spans(self) -> list[tuple[int, int, int]]:
        """Return position, time in ms and hits of each entry."""
        values = (c_int64 * (3 * self._entries))()
        self.library.entries(self.at, values)
        plain = list(values)
        return list(zip(plain[::3], plain[1::3], plain[2::3], strict=True))

    def days(self) -> tuple[int, int] | None:
        """Return the first and the last day of the hits; None where there are none."""
        days = (c_uint32 * 2)()
        return (days[0], days[1]) if self.library.days(self.at, days) else None

    def numbers(self, name: str) -> list[int]:
        """Return a column without strings."""
        of_type, code = NUMBERS[name]
        return array(code, KernelColumn([self], name).native(of_type, 0)).tolist()

    def batch(self) -> Batch:
        """Return the hits in the form of the Python fold."""
        library, size = self.library, self.hits()
        texts = library.texts(library.text_count(self.at), library.texts_at, self.at)
        columns: dict[str, list[Any]] = {name: self.numbers(name) for name in _OF_BATCH}
        for index, name in enumerate(TEXTS):
            at = library.text_numbers(self.at, index)
            values = (c_uint32 * size)()
            if at and size:
                memmove(values, at, sizeof(values))
            columns[name] = [texts[value] for value in values]
        return Batch(**columns)


_OF_BATCH = ("at", "day", "visitor", "visit", "bot", "view_id")


class KernelColumn(NativeColumn):
    """A column of raw hits, from the first day up to but not including the second."""

    def __init__(
        self,
        entries: Sequence[KernelEntries],
        name: str,
        days: tuple[int, int] = ALL_DAYS,
        size: int | None = None,
    ) -> None:
        self._entries = entries
        self._name = name
        self._days = days
        self._size = _count(entries, days) if size is None else size

    def __len__(self) -> int:
        """Return how many hits it has a value for."""
        return self._size

    def native(self, of_type: str, coding: int) -> bytes:
        """See NativeColumn."""
        is_text = self._name in TEXTS
        if of_type not in (_TEXT_TYPES if is_text else (NUMBERS[self._name][0],)):
            raise UnwritableError(f"column {self._name} cannot be written as {of_type}")
        if not self._entries:
            return b""
        library = self._entries[0].library
        runs = array_of([of.at for of in self._entries])
        how = _TEXT_TYPES[of_type] if is_text else _PLAIN
        what = (runs, len(runs), *self._days, COLUMNS.index(self._name), how, coding)
        return library.written(library.column, *what)


_TEXT_TYPES = {"String": _PLAIN, "LowCardinality(String)": _CODED}


def _count(entries: Sequence[KernelEntries], days: tuple[int, int]) -> int:
    if not entries:
        return 0
    runs = array_of([of.at for of in entries])
    return int(entries[0].library.count(runs, len(runs), *days))


def columns_between(
    entries: Sequence[KernelEntries], names: Sequence[str], days: tuple[int, int]
) -> dict[str, KernelColumn]:
    """Return columns of raw hits from the first day up to but not including the second."""
    size = _count(entries, days)
    return {name: KernelColumn(entries, name, days, size) for name in names}
