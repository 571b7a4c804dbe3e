"""Views that a browser sent twice, because it did not see the answer to the first request.

The script identifies each view by a random number, which a duplicate shares. Whether a hit is a
duplicate is a function of the last two windows of the log: windows are fixed in log time, so it
does not matter where a reader begins, as long as it has read both.
"""

from collections.abc import Sequence
from typing import Self

import msgspec

from services.aggregator.compact import CompactSet, PackedNumbers

WINDOW_MS = 10 * 60_000
"""A duplicate is recognised if it reaches the log within one window after the first hit."""

MOST_IDS = 150_000
"""Per window: about 1.5 MB. Views beyond that are not remembered."""


class PackedRepetitions(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Repetitions as bytes: the number of the window, its ids and those of the previous one."""

    window: int
    ids: PackedNumbers
    before: PackedNumbers


class Repetitions:
    """The ids of the views of one partition, in this window and the previous one."""

    def __init__(self) -> None:
        self._window = 0
        self._ids = CompactSet()
        self._before = CompactSet()

    def __len__(self) -> int:
        return len(self._ids) + len(self._before)

    def first(self, now: int, ids: Sequence[int]) -> list[bool] | None:
        """Tell for each hit of the next entry whether it is not a duplicate; None when none is one.

        `now` is the log time of the entry in ms. An id of 0 is no id: such a hit has no duplicate.
        """
        self._turn(now // WINDOW_MS)
        known, before = self._ids, self._before
        if len(known) < MOST_IDS:
            is_first = [not view or (known.add(view) and view not in before) for view in ids]
        else:
            seen: set[int] = set()
            is_first = []
            for view in ids:
                is_first.append(not view or not (view in seen or view in known or view in before))
                seen.add(view)
        return None if all(is_first) else is_first

    def pack(self) -> PackedRepetitions:
        """Return a copy of all that is remembered."""
        return PackedRepetitions(self._window, self._ids.pack(), self._before.pack())

    @classmethod
    def unpack(cls, packed: PackedRepetitions) -> Self:
        """Return what was packed."""
        repetitions = cls()
        repetitions._window = packed.window
        repetitions._ids = CompactSet.unpack(packed.ids)
        repetitions._before = CompactSet.unpack(packed.before)
        return repetitions

    def _turn(self, window: int) -> None:
        if window != self._window:
            self._before = self._ids if window == self._window + 1 else CompactSet()
            self._ids, self._window = CompactSet(), window
