"""Which raw hits the table has of what was counted."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.api.stats.spans import Span


class Coverage(NamedTuple):
    """Which raw hits the table has of a span of days.

    months   first days of the months that have hits
    doubled  days on which hits may be there twice
    end      position behind the last batch that is counted; views from it on are left out
    taken    runs of the corrections whose hits are left out
    moved    runs that say which views begin a visit instead of others
    """

    months: frozenset[int]
    doubled: Sequence[Span]
    end: int
    taken: Sequence[str] = ()
    moved: Sequence[str] = ()


class FoundHits(NamedTuple):
    """What was found of a span of days.

    held  how many views of each day are there
    at    when, in seconds of a clock that is never set
    """

    coverage: Coverage
    held: Mapping[int, int]
    at: float
