"""Which days of a site were counted: two weeks without a view are no zeros."""

import pytest

from services.api.stats.panels.contents import UncountedSpan
from services.api.stats.periods.counted_days import GAP_DAYS, CountedDays
from services.api.stats.periods.spans import Span

TODAY = 21_000
MONTH = Span(TODAY - 60, TODAY - 31)


def counted(first: int = TODAY - 400, *, without: tuple[Span, ...] = ()) -> CountedDays:
    days = set(range(first, TODAY))
    for gap in without:
        days -= set(range(gap.first, gap.last + 1))
    return CountedDays(first, frozenset(days), TODAY)


def test_days_before_the_first_are_not_counted() -> None:
    first = MONTH.first + 5
    known = counted(first)
    assert known.uncounted(MONTH) == UncountedSpan(Span(MONTH.first, first - 1), first)
    assert known.uncounted(Span(first, TODAY)) is None
    assert len(known.known(MONTH)) == MONTH.days - 5
    nothing = CountedDays(None, frozenset(), TODAY)
    assert nothing.uncounted(MONTH) == UncountedSpan(MONTH)
    assert (nothing.known(MONTH), list(nothing.gaps(MONTH))) == (set(), [])


@pytest.mark.parametrize("days", [1, GAP_DAYS - 1, GAP_DAYS, 30, 100])
@pytest.mark.parametrize("of_span", [-80, -10, 0, 10, 29])
def test_two_weeks_without_a_view_are_a_gap_and_fewer_are_zeros(days: int, of_span: int) -> None:
    gap = Span(MONTH.first + of_span, min(MONTH.first + of_span + days, TODAY) - 1)
    known = counted(without=(gap,))
    within = range(max(gap.first, MONTH.first), min(gap.last, MONTH.last) + 1)
    if gap.days < GAP_DAYS or not within:
        assert known.uncounted(MONTH) is None
        assert known.known(MONTH) == set(range(MONTH.first, MONTH.last + 1))
        return
    expected = Span(within[0], within[-1])
    assert known.uncounted(MONTH) == UncountedSpan(expected, is_gap=True)
    assert list(known.gaps(MONTH)) == [expected]
    assert len(known.known(MONTH)) == MONTH.days - expected.days


def test_days_of_opening_balances_fill_what_was_not_counted() -> None:
    gap = Span(MONTH.first + 3, MONTH.first + 22)
    known = counted(without=(gap,))
    assert known.uncounted(MONTH, range(gap.first, gap.last + 1)) is None
    missing = known.uncounted(MONTH, range(gap.first, gap.last))
    assert missing == UncountedSpan(Span(gap.last, gap.last), is_gap=True)


def test_a_site_that_is_hardly_read_has_no_gaps() -> None:
    days = frozenset(range(TODAY - 400, TODAY, 20))
    known = CountedDays(TODAY - 400, days, TODAY)
    assert known.uncounted(MONTH) is None
    twice = CountedDays(TODAY - 400, frozenset({TODAY - 400, TODAY - 1}), TODAY)
    assert not list(twice.gaps(MONTH))
    assert not list(CountedDays(TODAY - 400, frozenset({TODAY - 400}), TODAY).gaps(MONTH))


def test_days_to_come_and_the_running_one_say_nothing() -> None:
    quiet = Span(TODAY - GAP_DAYS + 1, TODAY - 1)
    known = counted(without=(quiet,))
    assert not list(known.gaps(Span(TODAY - 30, TODAY + 100)))
    longer = counted(without=(Span(quiet.first - 1, quiet.last),))
    assert list(longer.gaps(Span(TODAY - 30, TODAY))) == [Span(quiet.first - 1, quiet.last)]


def test_a_gap_of_one_of_several_sites_is_none_of_all_of_them() -> None:
    one = counted(without=(Span(MONTH.first, MONTH.last),))
    other = counted(TODAY - 100, without=(Span(MONTH.first + 10, MONTH.last + 10),))
    both = CountedDays.together([one, other], TODAY)
    assert both.first == one.first
    assert list(both.gaps(MONTH)) == [Span(MONTH.first + 10, MONTH.last)]
    assert CountedDays.together([], TODAY) == CountedDays(None, frozenset(), TODAY)
