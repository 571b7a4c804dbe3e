"""Which raw hits the table still has for what was counted."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.api.stats.periods.spans import Span


class Coverage(NamedTuple):
    """Which raw hits the table has for a span of days.

    months   first days of the months that have hits
    doubled  days on which hits may be there twice
    end      position after the last counted batch; views from it on are left out
    taken    runs of the corrections whose hits are left out
    moved    runs that say which views begin a visit instead of others
    ended    days whose visits were precomputed, each with the version of these
    """

    months: frozenset[int]
    doubled: Sequence[Span]
    end: int
    taken: Sequence[str] = ()
    moved: Sequence[str] = ()
    ended: Mapping[int, int] = {}


class FoundHits(NamedTuple):
    """What was found for a span of days.

    held     how many views of each day are there
    digests  of the hits of each day that may be among `coverage.ended`; none when there are few
    at       when, in seconds of a monotonic clock
    """

    coverage: Coverage
    held: Mapping[int, int]
    digests: Mapping[int, int]
    at: float

    def gone(self, counted: Mapping[int, tuple[int, int]]) -> tuple[str, str]:
        """Return the warning about days with missing hits, and how much of them is left.

        Both are '' when none is missing: a day is held when its raw views match its counter.

        counted  views and visits of each day that has any
        """
        views = {day: of_day for day, (of_day, _) in counted.items() if of_day}
        held = self.held
        missing = [day for day in views.keys() | held.keys() if views.get(day) != held.get(day)]
        if not missing:
            return "", ""
        gone = f"the raw hits of {Span(min(missing), max(missing))}, which this needs, are gone"
        left = sum(held.get(day, 0) for day in missing)
        if not left:
            return gone, "; they count nothing here"
        whole = sum(views.get(day, 0) for day in missing)
        return gone, f" in part: {left} of {whole} views of these days count here"
