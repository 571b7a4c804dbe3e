"""The state of one partition in the library: PartitionFold, on arrays."""

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import POINTER, byref, c_int64, c_uint8, c_uint32
from functools import cached_property
from typing import Self

from services.aggregator.fold import Folded, Read
from services.aggregator.kernel.entries import KernelEntries
from services.aggregator.kernel.library import OUT_OF_ORDER, Library, checked
from services.aggregator.online_window import DayPeak
from services.state.online import bots_of

_ROOM = 256


class KernelFolded:
    """Entries and what they add to the counters: see Folded; its parts are computed on demand."""

    def __init__(
        self,
        partition: int,
        entries: KernelEntries,
        size: int,
        imported: Mapping[int, str] | None,
    ) -> None:
        spans = entries.spans()
        self.partition = partition
        self.entries = entries
        self.first, self.last = spans[0][0], spans[-1][0]
        self.size = size
        self.imported = dict(imported or {})
        self.repeated = int(entries.library.repeated(entries.at))
        self.arrived: dict[int, int] = {}
        for _, time, hits in spans:
            if hits:
                self.arrived[time] = self.arrived.get(time, 0) + hits
        self._hits = entries.hits()

    def __len__(self) -> int:
        return self._hits

    def no_pages(self) -> "KernelPages":
        """See Folded."""
        return KernelPages(self.entries.library)

    @cached_property
    def in_python(self) -> Folded:
        """The same in the form of the Python fold, for rare needs."""
        entries = self.entries
        hits, position = entries.batch(), entries.numbers("position")
        return Folded.of_hits(self.partition, (self.first, self.last), hits, position, hits.visit)


class KernelPages:
    """Distinct pages of runs: see FoldedPages."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._at = library.page_set()
        if not self._at:
            raise MemoryError("the fold has no memory")
        self._count = 0

    def __del__(self) -> None:
        """Give the memory back."""
        if getattr(self, "_at", None):
            self._library.end_page_set(self._at)

    def __len__(self) -> int:
        return self._count

    def add(self, run: KernelFolded) -> None:
        """See FoldedPages."""
        self._count = checked(self._library.add_pages(self._at, run.entries.at))


class KernelOnline:
    """Who is online in a partition; see OnlineWindow."""

    def __init__(self, fold: "KernelFold") -> None:
        self._fold = fold

    def counts(self, now: int) -> dict[str, int]:
        """See OnlineWindow."""
        fold = self._fold
        values = (c_uint32 * (3 * 2 * fold.library.site_count(fold.at)))()
        written = fold.library.online(fold.at, now, values, len(values) // 3)
        plain = values[: 3 * written]
        return {
            bots_of(fold.site(site)) if of_bots else fold.site(site): number
            for site, of_bots, number in zip(plain[::3], plain[1::3], plain[2::3], strict=True)
        }

    def take_peaks(self) -> list[DayPeak]:
        """See OnlineWindow."""
        fold = self._fold
        peaks: list[DayPeak] = []
        values = (c_int64 * (4 * _ROOM))()
        while True:
            written = fold.library.peaks(fold.at, values, _ROOM)
            for index in range(written):
                site, day, number, at = values[4 * index : 4 * index + 4]
                peaks.append(DayPeak(fold.site(site), day, number, at))
            if written < _ROOM:
                return peaks


class KernelFold:
    """The state of one partition: see PartitionFold."""

    def __init__(self, library: Library, partition: int) -> None:
        self.library = library
        self.at = library.state()
        if not self.at:
            raise MemoryError("the fold has no memory")
        self.partition = partition
        self._sites = [""]

    def __del__(self) -> None:
        """Give the memory back."""
        if getattr(self, "at", None):
            self.library.end_state(self.at)

    @property
    def position(self) -> int:
        """The last position that was folded; -1 before the first."""
        return int(self.library.position(self.at))

    @property
    def online(self) -> KernelOnline:
        """Who is online. Not cached: a reference would keep the fold and its memory alive."""
        return KernelOnline(self)

    def site(self, number: int) -> str:
        """Return the name of a site by its number in the state."""
        while len(self._sites) <= number:
            length = c_uint32()
            at = self.library.site_name(self.at, len(self._sites), byref(length))
            self._sites.append(ctypes.string_at(at, length.value).decode())
        return self._sites[number]

    def fold(
        self,
        run: KernelEntries | Sequence[Read],
        size: int = 0,
        imported: Mapping[int, str] | None = None,
    ) -> KernelFolded:
        """Fold the next entries of the log; see PartitionFold."""
        return KernelFolded(self.partition, self._see(run), size, imported)

    def rebuild(self, run: KernelEntries | Sequence[Read]) -> None:
        """Read the next entries only to rebuild the visits; see PartitionFold."""
        self._see(run)

    def _see(self, run: KernelEntries | Sequence[Read]) -> KernelEntries:
        entries = run if isinstance(run, KernelEntries) else self._entries(run)
        seen = self.library.see(self.at, entries.at)
        if seen == OUT_OF_ORDER:
            position = next(at for at, _, _ in entries.spans() if at <= self.position)
            raise ValueError(f"position {position} was folded before ({self.position})")
        checked(seen)
        return entries

    def _entries(self, run: Sequence[Read]) -> KernelEntries:
        entries = KernelEntries(self.library)
        for position, now, batch in run:
            entries.add_batch(position, now, batch)
        return entries

    def pack(self) -> bytes:
        """Return a copy of the state; see PartitionFold."""
        packed = POINTER(c_uint8)()
        return self.library.taken(packed, self.library.pack(self.at, byref(packed)))

    @classmethod
    def unpack(cls, library: Library, partition: int, packed: bytes) -> Self:
        """Return the packed fold. Raises ValueError."""
        fold = cls(library, partition)
        checked(library.unpack(fold.at, packed, len(packed)))
        return fold
