"""Which days a period is compared with, as people expect it.

Months are compared with as many months, however many days these have: March with February, a
quarter with the quarter before. A period that has not ended is compared with the same days: 1 to 27
November with 1 to 27 October. Only the last 7 days and the like are compared with as many days.
Today alone is compared with the other day up to the same local time.
"""

from datetime import datetime
from enum import StrEnum

from services.api.stats.periods.spans import Period, Span, follows_calendar, span_of
from services.http.errors import ApiError, bad_request, shown
from services.model.calendar import months_later, to_date, zone
from services.model.site import Site

_YEAR = 12


class Comparison(StrEnum):
    """What a period is compared with; dates of one's own are written as 2024-01-01,2024-01-31."""

    PREVIOUS_PERIOD = "previous_period"
    YEAR_OVER_YEAR = "year_over_year"
    NONE = "none"


def against(compare: str | None, period: str, span: Span, today: int) -> Span | None:
    """Return the days that a period so far is compared with; None for none.

    compare  one of Comparison, or two dates

    Raises ApiError.
    """
    elapsed = Span(span.first, max(span.first, min(span.last, today)))
    match compare or Comparison.NONE:
        case Comparison.NONE:
            return None
        case Comparison.YEAR_OVER_YEAR:
            if follows_calendar(period, span):
                return _months_before(span, elapsed, _YEAR)
            first, last = (months_later(day, -_YEAR) for day in elapsed)
            return Span(first, last)
        case Comparison.PREVIOUS_PERIOD:
            if follows_calendar(period, span):
                return _months_before(span, elapsed, _step(period, span))
            return Span(elapsed.first - elapsed.days, elapsed.first - 1)
    if "," not in (compare or ""):
        expected = f"{', '.join(Comparison)}, or two dates such as 2024-01-01,2024-01-31"
        raise bad_request("compare", f"{shown(compare)}; expected {expected}")
    try:
        return span_of(Period.CUSTOM, compare, today)
    except ApiError as error:
        raise bad_request("compare", error.errors["date"]) from None


def until(site: Site, span: Span, before: Span | None, at_ms: int) -> int | None:
    """Return the time up to which the day to compare with counts, in ms since 1970.

    None when all of it counts: the period is not today alone, or the other is several days.

    at_ms  the time of the request, in ms since 1970
    """
    if before is None or before.days > 1 or span.first != site.day_of(at_ms):
        return None
    start, end = site.start_of(before.first), site.start_of(before.last + 1)
    time = site.local(at_ms).time()
    then = datetime.combine(to_date(before.first), time, zone(site.zone_at(start)))
    return min(max(round(then.timestamp() * 1000), start), end)


def _step(period: str, span: Span) -> int:
    # Nine months begin with the year: the previous ones are those of the year before.
    nine = (Period.NINE_MONTHS, Period.REPORT_NINE_MONTHS)
    return _YEAR if period in nine else span.months


def _months_before(span: Span, elapsed: Span, months: int) -> Span:
    first = months_later(span.first, -months)
    if elapsed.last >= span.last:
        return Span(first, months_later(span.last + 1, -months) - 1)
    # If the month before has no such day, its last one.
    return Span(first, months_later(elapsed.last, -months))
