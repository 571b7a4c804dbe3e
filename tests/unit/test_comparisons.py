"""Which days a period is compared with: beside a computation that walks through the days."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from services.api.stats.periods.comparison import against, until
from services.api.stats.periods.counted_days import CountedDays
from services.api.stats.periods.spans import Span, span_of
from services.http.errors import ApiError
from services.model.calendar import to_day
from services.model.site import Site

DAY = timedelta(days=1)
DAYS = some.dates(date(2001, 1, 1), date(2100, 1, 1))


def compared(period: str, dates: str | None, compare: str, today: date) -> str:
    """Return the days of a period up to today, and those that they are compared with."""
    span = span_of(period, dates, to_day(today))
    before = against(compare, period, span, to_day(today))
    assert before is not None
    return str(before)


@pytest.mark.parametrize(
    ("period", "dates", "today", "previous", "year_before"),
    [
        (
            "month",
            "2025-03-05",
            "2025-11-27",
            "2025-02-01 to 2025-02-28",
            "2024-03-01 to 2024-03-31",
        ),
        ("month", None, "2026-11-27", "2026-10-01 to 2026-10-27", "2025-11-01 to 2025-11-27"),
        ("month", None, "2026-03-30", "2026-02-01 to 2026-02-28", "2025-03-01 to 2025-03-30"),
        (
            "month",
            "2025-02-05",
            "2025-11-27",
            "2025-01-01 to 2025-01-31",
            "2024-02-01 to 2024-02-29",
        ),
        ("month", None, "2024-02-29", "2024-01-01 to 2024-01-31", "2023-02-01 to 2023-02-28"),
        (
            "quarter",
            "2025-05-01",
            "2025-11-27",
            "2025-01-01 to 2025-03-31",
            "2024-04-01 to 2024-06-30",
        ),
        ("quarter", None, "2025-05-31", "2025-01-01 to 2025-02-28", "2024-04-01 to 2024-05-31"),
        (
            "year",
            "2024-05-01",
            "2025-11-27",
            "2023-01-01 to 2023-12-31",
            "2023-01-01 to 2023-12-31",
        ),
        ("year", None, "2024-02-29", "2023-01-01 to 2023-02-28", "2023-01-01 to 2023-02-28"),
        ("12mo", None, "2025-11-27", "2023-12-01 to 2024-11-27", "2023-12-01 to 2024-11-27"),
        (
            "nine_months",
            "2025-05-01",
            "2025-11-27",
            "2024-01-01 to 2024-09-30",
            "2024-01-01 to 2024-09-30",
        ),
        (
            "report_month",
            "2025-03-01",
            "2025-11-27",
            "2025-01-15 to 2025-02-14",
            "2024-02-15 to 2024-03-14",
        ),
        (
            "report_month",
            None,
            "2025-03-01",
            "2025-01-15 to 2025-02-01",
            "2024-02-15 to 2024-03-01",
        ),
        (
            "report_quarter",
            "2025-03-01",
            "2025-11-27",
            "2024-09-15 to 2024-12-14",
            "2023-12-15 to 2024-03-14",
        ),
        ("7d", None, "2025-03-05", "2025-02-20 to 2025-02-26", "2024-02-27 to 2024-03-05"),
        ("30d", "2025-04-30", "2025-11-27", "2025-03-02 to 2025-03-31", "2024-04-01 to 2024-04-30"),
        ("day", None, "2024-02-29", "2024-02-28 to 2024-02-28", "2023-02-28 to 2023-02-28"),
        (
            "custom",
            "2025-01-01,2025-03-31",
            "2025-11-27",
            "2024-10-01 to 2024-12-31",
            "2024-01-01 to 2024-03-31",
        ),
        (
            "custom",
            "2025-03-03,2025-03-09",
            "2025-11-27",
            "2025-02-24 to 2025-03-02",
            "2024-03-03 to 2024-03-09",
        ),
    ],
)
def test_each_period_is_compared_as_people_mean_it(
    period: str, dates: str | None, today: str, previous: str, year_before: str
) -> None:
    at = date.fromisoformat(today)
    assert compared(period, dates, "previous_period", at) == previous
    assert compared(period, dates, "year_over_year", at) == year_before


Group = Callable[[date], tuple[int, int]]


def back_from(day: date, group: Group) -> Iterator[date]:
    """Yield the days of the same group before a day, and this one."""
    at = day
    while group(at) == group(day):
        yield at
        at -= DAY


def group_of(months: int, cut: int) -> Group:
    """Return what tells periods of so many months apart, each of which begins on the cut."""

    def group(day: date) -> tuple[int, int]:
        # So many days earlier, the month begins on the 1st; a report has the name of the next one.
        month = day.year * 12 + day.month - 1 + (1 if cut > 1 and day.day >= cut else 0)
        return divmod(month, 12)[0], month % 12 // months

    return group


@given(
    today=DAYS,
    about=some.sampled_from(
        [("month", 1), ("quarter", 3), ("half", 6), ("year", 12)],
    ),
    is_report=some.booleans(),
)
@example(today=date(2024, 2, 29), about=("year", 12), is_report=False)
@example(today=date(2023, 3, 31), about=("month", 1), is_report=False)
def test_a_period_under_way_is_compared_with_the_same_days_of_the_one_before(
    today: date, about: tuple[str, int], is_report: bool
) -> None:
    name, months = about
    group = group_of(months, 15 if is_report else 1)
    begun = min(back_from(today, group))
    before = list(back_from(begun - DAY, group))

    def place(day: date, first: date) -> tuple[int, int]:
        """Tell a day by its month and day, seen from the first day of its period."""
        return 12 * (day.year - first.year) + day.month - first.month, day.day

    # Up to the day that has the same place, or the last one before it.
    reached = [day for day in before if place(day, min(before)) <= place(today, begun)]
    expected = f"{min(before)} to {max(reached)}"
    if group(today + DAY) != group(today):
        expected = f"{min(before)} to {max(before)}"
    period = f"report_{name}" if is_report else name
    assert compared(period, None, "previous_period", today) == expected


@given(DAYS, some.integers(1, 400))
def test_days_of_ones_own_are_compared_with_as_many_or_as_many_months(
    last: date, days: int
) -> None:
    first = last - (days - 1) * DAY
    dates = f"{first},{last}"
    previous = compared("custom", dates, "previous_period", last)
    begun, ended = map(date.fromisoformat, previous.split(" to "))
    assert ended == first - DAY
    is_months = first.day in (1, 15) and (last + DAY).day == first.day
    if is_months:
        assert begun.day == first.day
    else:
        assert (first - begun).days == days


def test_other_days_and_none() -> None:
    today = to_day(date(2025, 11, 27))
    span = span_of("month", None, today)
    chosen = against("2019-04-01,2019-04-27", "month", span, today)
    assert chosen is not None
    assert str(chosen) == "2019-04-01 to 2019-04-27"
    assert against("none", "month", span, today) is None
    assert against(None, "month", span, today) is None
    for wrong in ("last_month", "2019-04-01,2019", "2019-04-02,2019-04-01", ","):
        with pytest.raises(ApiError) as refused:
            against(wrong, "month", span, today)
        assert list(refused.value.errors) == ["compare"]


def test_what_was_not_counted_as_a_whole_is_said() -> None:
    today = to_day(date(2025, 11, 27))
    before = against("previous_period", "month", span_of("month", None, today), today)
    assert before is not None

    def missing(first: date | None) -> str:
        known = CountedDays(None if first is None else to_day(first), frozenset(), today)
        uncounted = known.uncounted(before)
        return "" if uncounted is None else uncounted.told(before)

    assert missing(date(2025, 10, 1)) == ""
    assert "the first day was 2025-10-02" in missing(date(2025, 10, 2))
    assert "nothing was" in missing(None)


def test_months_are_those_of_the_calendar_or_of_reports() -> None:
    def months(first: str, last: str) -> int:
        return Span(to_day(date.fromisoformat(first)), to_day(date.fromisoformat(last))).months

    assert months("2024-01-01", "2024-12-31") == 12
    assert months("2023-12-15", "2024-03-14") == 3
    assert months("2024-02-01", "2024-02-28") == 0
    assert months("2024-02-02", "2024-03-01") == 0


@pytest.mark.parametrize(
    ("zone", "now", "other", "expected"),
    [
        ("Asia/Ho_Chi_Minh", "2026-11-28 14:05", "2026-11-27", "2026-11-27 14:05"),
        ("Asia/Kathmandu", "2026-11-28 14:05", "2026-11-27", "2026-11-27 14:05"),
        ("Australia/Lord_Howe", "2026-10-04 09:45", "2026-10-03", "2026-10-03 09:45"),
        ("Europe/Berlin", "2026-03-29 15:00", "2026-03-28", "2026-03-28 15:00"),
        # What the other day's clocks leave out ends where they go on.
        ("Europe/Berlin", "2026-03-30 02:30", "2026-03-29", "2026-03-29 03:30"),
        ("Asia/Ho_Chi_Minh", "2026-11-28 14:05", "2025-11-28", "2025-11-28 14:05"),
    ],
)
def test_today_is_compared_up_to_the_same_time_by_the_clocks_of_the_site(
    zone: str, now: str, other: str, expected: str
) -> None:
    site = Site(slug="mytho", timezone=zone)

    def at(text: str) -> int:
        return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)

    today, before = (to_day(date.fromisoformat(day)) for day in (now[:10], other))
    one = Span(before, before)
    assert until(site, Span(today, today), one, at(now)) == at(expected)
    # The first of a month is today alone, too.
    assert until(site, Span(today, today + 29), one, at(now)) == at(expected)
    assert until(site, Span(today, today), Span(before - 1, before), at(now)) is None
    assert until(site, Span(today - 1, today), one, at(now)) is None
    assert until(site, Span(today, today), None, at(now)) is None
