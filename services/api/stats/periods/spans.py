"""Periods and intervals, in the site's own calendar."""

import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from services.http.errors import bad_request, shown
from services.model.calendar import (
    Grain,
    months_later,
    period_start,
    to_date,
    to_day,
    week_start,
)
from services.model.site import Site

MAX_DAYS = 3_660
MAX_HOURLY_DAYS = 31
FIRST_DAY = to_day(date(2000, 1, 1))
LAST_DAY = to_day(date(2148, 12, 31))
QUARTER_MS = 15 * 60 * 1000
"""Present-day UTC offsets are whole quarters of an hour."""


class Period(StrEnum):
    """Days to look at, by the last of them or one of them."""

    DAY = "day"
    LAST_7_DAYS = "7d"
    LAST_28_DAYS = "28d"
    LAST_30_DAYS = "30d"
    LAST_91_DAYS = "91d"
    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    NINE_MONTHS = "nine_months"
    YEAR = "year"
    LAST_6_MONTHS = "6mo"
    LAST_12_MONTHS = "12mo"
    REPORT_MONTH = "report_month"
    REPORT_QUARTER = "report_quarter"
    REPORT_HALF = "report_half"
    REPORT_NINE_MONTHS = "report_nine_months"
    REPORT_YEAR = "report_year"
    ALL = "all"
    CUSTOM = "custom"


DEFAULT_PERIOD = Period.LAST_30_DAYS.value
_MONTHS = {"month": 1, "quarter": 3, "half": 6, "nine_months": 9, "year": 12}
"""How many months these have, and those for reports; counted from January."""
_HALF = 6
_REPORT = "report_"
_REPORT_DAY = 15
"""Reports of Vietnamese offices end on the 14th (decree 09/2019/NĐ-CP): the one for March covers 15
February to 14 March."""
_LAST = frozenset(
    {Period.DAY, Period.LAST_7_DAYS, Period.LAST_28_DAYS, Period.LAST_30_DAYS, Period.LAST_91_DAYS}
)
_LONG = (Period.LAST_6_MONTHS, Period.LAST_12_MONTHS, Period.ALL)


class Interval(StrEnum):
    """How long each row of a timeseries is."""

    HOUR = "hour"
    DATE = "date"
    WEEK = "week"
    MONTH = "month"


class Span(NamedTuple):
    """Days from first to last, both included, in days since 1970-01-01."""

    first: int
    last: int

    @property
    def days(self) -> int:
        """How many days these are."""
        return self.last - self.first + 1

    def holds(self, day: int) -> bool:
        """Tell whether a day is one of these."""
        return self.first <= day <= self.last

    @property
    def months(self) -> int:
        """How many whole months these are, from the 1st or, as in reports, the 15th; else 0."""
        first, after = to_date(self.first), to_date(self.last + 1)
        if first.day not in (1, _REPORT_DAY) or after.day != first.day:
            return 0
        return 12 * (after.year - first.year) + after.month - first.month

    def with_those(self, other: "Span") -> "Span":
        """Return the days from the first of both to the last of both."""
        return Span(min(self.first, other.first), max(self.last, other.last))

    def widened(self, days: int) -> "Span":
        """Return the span extended by `days` on either side, but not to before 1970."""
        return Span(max(0, self.first - days), self.last + days)

    def __str__(self) -> str:
        return f"{to_date(self.first)} to {to_date(self.last)}"


def span_of(period: str, dates: str | None, today: int, since: int | None = None) -> Span:
    """Return the days of a period around a date, which is today unless given. Raises ApiError.

    since  the first counted day, where a period of all days begins; None when there is none
    """
    try:
        kind = Period(period)
    except ValueError:
        expected = ", ".join(Period)
        raise bad_request("period", f"{shown(period)}; expected one of {expected}") from None
    if kind is Period.CUSTOM:
        return _custom(dates)
    day = _day(dates) if dates else today
    name = kind.removeprefix(_REPORT)
    if name in _MONTHS:
        return _of_months(day, _MONTHS[name], is_report=name != kind)
    match kind:
        case Period.DAY:
            return Span(day, day)
        case Period.ALL:
            return Span(min(day, day if since is None else since), day)
        case Period.LAST_6_MONTHS | Period.LAST_12_MONTHS:
            after = months_later(period_start(day, Grain.MONTH), 1)
            return _within(Span(months_later(after, -int(kind.removesuffix("mo"))), after - 1))
        case _:
            return _within(Span(day - int(kind.removesuffix("d")) + 1, day))


def follows_calendar(period: str, span: Span) -> bool:
    """Tell whether a period consists of whole months, rather than a number of days."""
    return period not in (*_LAST, Period.ALL) and span.months > 0


def interval_of(name: str | None, period: str, span: Span) -> Interval:
    """Return the interval with a name, or the period's default if there is none."""
    if name is None:
        if period == Period.DAY:
            return Interval.HOUR
        months = _MONTHS.get(period.removeprefix(_REPORT), 0)
        long = months >= _HALF or period in _LONG
        return Interval.MONTH if long else Interval.DATE
    try:
        interval = Interval.DATE if name == "day" else Interval(name)
    except ValueError:
        expected = ", ".join(Interval)
        raise bad_request("interval", f"{shown(name)}; expected one of {expected}") from None
    if interval is Interval.HOUR and span.days > MAX_HOURLY_DAYS:
        raise bad_request(
            "interval", f"{span.days} days by the hour; expected at most {MAX_HOURLY_DAYS}"
        )
    return interval


def label_of(day: int, interval: Interval, span: Span) -> str:
    """Return the date of the row to which a day belongs.

    A week begins on Monday, or with the span; a month is named by its first day, and begins on the
    15th if the span does and is whole months.
    """
    match interval:
        case Interval.WEEK:
            day = max(week_start(day), span.first)
        case Interval.MONTH:
            into = _REPORT_DAY - 1 if span.months and to_date(span.first).day == _REPORT_DAY else 0
            day = period_start(day - into, Grain.MONTH) + into
    return to_date(day).isoformat()


class Hours(NamedTuple):
    """The hours of a span, in the site's local time.

    labels    one per hour; when clocks are set back, the same hour appears twice
    start_ms  when the first begins
    quarters  for each quarter of an hour from then on, the index of its hour
    """

    labels: list[str]
    start_ms: int
    quarters: list[int]


def hours_of(span: Span, site: Site) -> Hours:
    """Return the hours of a span; a day may not have 24, since clocks and time zones change."""
    start, end = site.start_of(span.first), site.start_of(span.last + 1)
    hours: dict[tuple[str, object], int] = {}
    quarters = []
    for at in range(start, end, QUARTER_MS):
        local = site.local(at)
        hour = local.strftime("%Y-%m-%d %H:00:00"), local.utcoffset()
        quarters.append(hours.setdefault(hour, len(hours)))
    return Hours([label for label, _ in hours], start, quarters)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order, with those that overlap or touch merged."""
    disjoint: list[Span] = []
    for span in sorted(spans):
        if disjoint and span.first <= disjoint[-1].last + 1:
            disjoint[-1] = Span(disjoint[-1].first, max(disjoint[-1].last, span.last))
        else:
            disjoint.append(span)
    return disjoint


def _custom(dates: str | None) -> Span:
    first, comma, last = (dates or "").partition(",")
    if not comma:
        raise bad_request(
            "date", f"{shown(dates)}; a custom period needs two, such as 2024-01-01,2024-01-31"
        )
    span = Span(_day(first.strip()), _day(last.strip()))
    if span.last < span.first:
        raise bad_request("date", f"{dates}; the last day is before the first")
    if not 0 < span.days <= MAX_DAYS:
        raise bad_request("date", f"{span.days} days; expected 1 to {MAX_DAYS}")
    return span


def _day(text: str) -> int:
    try:
        # fromisoformat alone accepts more forms than this one.
        day = to_day(date.fromisoformat(text)) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else -1
    except ValueError:
        day = -1
    if not FIRST_DAY <= day <= LAST_DAY:
        raise bad_request(
            "date",
            f"{shown(text)}; expected a date such as 2024-01-31, from {to_date(FIRST_DAY)}"
            f" to {to_date(LAST_DAY)}",
        )
    return day


def _of_months(day: int, months: int, *, is_report: bool) -> Span:
    """Return the group of months of the year that a day is in; of nine, always the first nine."""
    month = period_start(day, Grain.MONTH)
    if is_report and to_date(day).day >= _REPORT_DAY:
        month = months_later(month, 1)
    in_year = to_date(month).month - 1
    into = in_year if months > _HALF else in_year % months
    first = months_later(month, -into)
    after = months_later(first, months)
    if is_report:
        first, after = (months_later(start, -1) + _REPORT_DAY - 1 for start in (first, after))
    return _within(Span(first, after - 1))


def _within(span: Span) -> Span:
    return Span(max(span.first, FIRST_DAY), span.last)
