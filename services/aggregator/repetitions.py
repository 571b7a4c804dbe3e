"""Views that a browser sent twice, because it did not see the answer to the first request.

The script names each view by a random number, which a repetition has as well. Whether a hit is a
repetition is a function of the last two windows of the log: windows lie fixed in log time, so it
does not matter where a reader begins, as long as it has read both.
"""

from collections.abc import Sequence

from services.aggregator.compact import CompactSet

WINDOW_MS = 10 * 60_000
"""A repetition is known when it reaches the log one window after the first hit, or sooner."""

MOST_IDS = 150_000
"""Of one window: about 1.5 MB. When more views come, the further ones are not remembered."""


class Repetitions:
    """The numbers of the views of one partition, in this window and the one before."""

    def __init__(self) -> None:
        self._window = 0
        self._ids = CompactSet()
        self._before = CompactSet()

    def __len__(self) -> int:
        return len(self._ids) + len(self._before)

    def first(self, now: int, ids: Sequence[int]) -> list[bool] | None:
        """Tell of the hits of the next entry which are no repetitions; None when all are.

        `now` is the log time of the entry in ms. An id of 0 is none: such a hit is never repeated.
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

    def _turn(self, window: int) -> None:
        if window != self._window:
            self._before = self._ids if window == self._window + 1 else CompactSet()
            self._ids, self._window = CompactSet(), window
