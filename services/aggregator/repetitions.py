"""Views that a browser sent twice, because it did not see the answer to the first request.

The script names each view by a random number, which a repetition has as well. Whether a hit is a
repetition is a function of the last two windows of the log: windows lie fixed in log time, so it
does not matter where a reader begins, as long as it has read both.
"""

from collections.abc import Sequence

WINDOW_MS = 10 * 60_000
"""A repetition is known when it reaches the log one window after the first hit, or sooner."""

MOST_IDS = 150_000
"""Of one window: about 12 MB. When more views come, the further ones are not remembered."""


class Repetitions:
    """The numbers of the views of one partition, in this window and the one before."""

    def __init__(self) -> None:
        self._window = 0
        self._ids: set[int] = set()
        self._before: set[int] = set()

    def __len__(self) -> int:
        return len(self._ids) + len(self._before)

    def first(self, now: int, ids: Sequence[int]) -> list[bool] | None:
        """Tell of the hits of the next entry which are no repetitions; None when all are.

        `now` is the log time of the entry in ms. An id of 0 is none: such a hit is never repeated.
        """
        self._turn(now // WINDOW_MS)
        fresh = set(ids)
        fresh.discard(0)
        known, before = self._ids, self._before
        is_first = None
        if (
            len(fresh) != len(ids) - ids.count(0)
            or not known.isdisjoint(fresh)
            or not before.isdisjoint(fresh)
        ):
            is_first = []
            seen: set[int] = set()
            for view in ids:
                is_first.append(not view or not (view in seen or view in known or view in before))
                seen.add(view)
        if len(known) < MOST_IDS:
            known |= fresh
        return is_first

    def _turn(self, window: int) -> None:
        if window != self._window:
            self._before = self._ids if window == self._window + 1 else set()
            self._ids, self._window = set(), window
