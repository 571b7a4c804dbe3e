"""Which views of an access log start a visit, by the times in the log."""

from services.model.hit import VISIT_WINDOW_MS, Visit

Visitor = tuple[int, str, str]
"""Day, address (for IPv6, its /64) and User-Agent; as for live hits, visits end at midnight."""

UNSORTED_MS = 60_000
"""Servers log a request when it ends, so a line may be late by the duration of its request."""


class LogVisits:
    """The 30-minute rule for the lines of one or more files, sorted by time, or nearly so.

    Visitors are kept in two generations, and the older one is dropped once a window has passed, so
    that memory holds the visitors of about an hour at most.
    """

    def __init__(self) -> None:
        self._young: dict[Visitor, int] = {}
        self._old: dict[Visitor, int] = {}
        self._since = -1
        self.newest = -1
        self.unsorted = 0

    def decide(self, visitor: Visitor, at: int) -> Visit:
        """Tell whether a view starts a visit, and remember its visitor."""
        if at > self.newest:
            self.newest = at
            if at - self._since > VISIT_WINDOW_MS + UNSORTED_MS:
                self._old, self._young, self._since = self._young, {}, at
        elif self.newest - at > UNSORTED_MS:
            self.unsorted += 1
        seen = self._young.get(visitor)
        if seen is None:
            seen = self._old.get(visitor)
        self._young[visitor] = at if seen is None else max(seen, at)
        if seen is not None and abs(at - seen) < VISIT_WINDOW_MS:
            return Visit.CONTINUES
        return Visit.STARTS
