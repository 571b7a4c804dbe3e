"""Which days of a site were counted: a day that was not counted is not a 0.

Nothing records when a portal had no script, or which months its access logs lack. So it is inferred
from the numbers: days before the first view were not counted, and neither were two weeks or more
without any view, on a site that is otherwise read daily. A shorter gap may be a small office's
holiday, and for a site with few readers nobody can tell.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, Self

from services.api.stats.panels.contents import UncountedSpan
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Span

GAP_DAYS = 14
"""This many days without a view were not counted. As many days on both sides of a span have to be
read, so that a gap is seen whole."""
_LEAST_DAYS = 7
"""Fewer days with a view than this prove nothing."""


class CountedDays(NamedTuple):
    """What is known about the days of one or more sites, in days since 1970-01-01.

    first  the first day with a view; None when there is none
    days   those with a view, among all that were read
    today  the current day: whether it has a view yet says nothing
    """

    first: int | None
    days: frozenset[int]
    today: int

    @classmethod
    def of(cls, first: int | None, moment: Snapshot, today: int) -> Self:
        """Return those of a site, with the sites merged into it, as of a snapshot."""
        counted = (part.counted.items() for part in (moment, *moment.parts))
        days = frozenset(day for of_part in counted for day, counts in of_part if any(counts))
        return cls(first, days, today)

    @classmethod
    def together(cls, several: Iterable["CountedDays"], today: int) -> Self:
        """Return the days of several sites on which any of them was counted."""
        known = list(several)
        first = min((one.first for one in known if one.first is not None), default=None)
        return cls(first, frozenset[int]().union(*(one.days for one in known)), today)

    def uncounted(self, span: Span, entered: Collection[int] = ()) -> UncountedSpan | None:
        """Return the first uncounted days of a span; None when all were counted.

        entered  days whose opening balances are in the numbers
        """
        early = Span(span.first, span.last if self.first is None else self.first - 1)
        if (left := _left(early, span, entered)) is not None:
            return UncountedSpan(left, self.first)
        return next((UncountedSpan(gap, is_gap=True) for gap in self.gaps(span, entered)), None)

    def known(self, span: Span) -> set[int]:
        """Return the days of a span that were counted, including short gaps without a view."""
        if self.first is None:
            return set()
        days = set(range(max(self.first, span.first), span.last + 1))
        return days.difference(*(range(gap.first, gap.last + 1) for gap in self.gaps(span)))

    def gaps(self, span: Span, entered: Collection[int] = ()) -> Iterator[Span]:
        """Yield the part within the span of each gap after the first day; see `uncounted`."""
        if self.first is None or not self._is_read_daily:
            return
        began = max(self.first, span.first - GAP_DAYS)
        end = min(span.last + GAP_DAYS, self.today - 1) + 1
        for day in range(began, end + 1):
            if day < end and day not in self.days:
                continue
            gap = _left(Span(began, day - 1), span, entered)
            if day - began >= GAP_DAYS and gap is not None:
                yield gap
            began = day + 1

    @property
    def _is_read_daily(self) -> bool:
        """Whether most days with a view are followed by another one."""
        following = sum(day + 1 in self.days for day in self.days)
        return len(self.days) >= _LEAST_DAYS and 2 * following >= len(self.days)


def _left(days: Span, span: Span, entered: Collection[int]) -> Span | None:
    """Return those days within a span, trimmed to the first and last without an entry."""
    first, last = max(days.first, span.first), min(days.last, span.last)
    left = [day for day in range(first, last + 1) if day not in entered]
    return Span(left[0], left[-1]) if left else None
