"""The days, or hours, of a query of version 2."""

import re
from datetime import datetime
from typing import Any, NamedTuple

from services.api.stats.periods.spans import (
    FIRST_DAY,
    LAST_DAY,
    MAX_HOURLY_DAYS,
    QUARTER_MS,
    Period,
    Span,
    hours_of,
    span_of,
)
from services.api.stats.v2.schema import PERIODS
from services.http.errors import ApiError, bad_request, shown
from services.model.calendar import to_date
from services.model.site import Site

_FIELD = "date_range"
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_EXPECTED = "two dates, or two times such as 2024-01-31T00:00:00+07:00"


class Range(NamedTuple):
    """Days, or some hours of them.

    period  a name of version 1
    dates   the date parameter that goes with it
    span    all of the days
    hours   which of their hours, from the first to past the last; None for all
    """

    period: str
    dates: str | None
    span: Span
    hours: tuple[int, int] | None = None


def range_of(given: Any, site: Site, today: int, since: int | None) -> Range:
    """Return what a query is about; `since` is the first day counted. Raises ApiError."""
    if isinstance(given, str):
        if given not in PERIODS:
            raise bad_request(
                _FIELD, f"{shown(given)}; expected {', '.join(PERIODS)}, or {_EXPECTED}"
            )
        return Range(given, None, span_of(given, None, today, since))
    if not isinstance(given, list) or len(given) != 2:
        raise bad_request(_FIELD, f"{shown(given)}; expected a period, or {_EXPECTED}")
    if not all(isinstance(text, str) for text in given):
        raise bad_request(_FIELD, f"{shown(given)}; expected {_EXPECTED}")
    if any(_TIME.fullmatch(text) for text in given):
        return _of_times(given, site)
    dates = ",".join(given)
    try:
        return Range(Period.CUSTOM, dates, span_of(Period.CUSTOM, dates, today))
    except ApiError as error:
        raise bad_request(_FIELD, error.errors["date"]) from None


def written(of: Range, site: Site) -> list[str]:
    """Return the first and the last second as RFC 3339 times in the site's time zone."""
    begin, end = site.start_of(of.span.first), site.start_of(of.span.last + 1)
    if of.hours is not None:
        quarters = hours_of(of.span, site).quarters
        end = begin + QUARTER_MS * sum(hour < of.hours[1] for hour in quarters)
        begin += QUARTER_MS * sum(hour < of.hours[0] for hour in quarters)
    return [site.local(at).isoformat() for at in (begin, end - 1000)]


def _of_times(given: list[str], site: Site) -> Range:
    begin, end = (_ms(text) for text in given)
    # The last second is included.
    end += 1000 if end // 1000 % 60 == 59 else 0
    if begin >= end:
        raise bad_request(_FIELD, f"{shown(given)}; expected the earlier time first")
    span = Span(site.day_of(begin), site.day_of(end - 1))
    dates = f"{to_date(span.first)},{to_date(span.last)}"
    try:
        span = span_of(Period.CUSTOM, dates, span.last)
    except ApiError as error:
        raise bad_request(_FIELD, error.errors["date"]) from None
    if (begin, end) == (site.start_of(span.first), site.start_of(span.last + 1)):
        return Range(Period.CUSTOM, dates, span)
    if span.days > MAX_HOURLY_DAYS:
        raise bad_request(
            _FIELD,
            f"parts of days in {span.days} days; expected whole days of {site.timezone}, or at"
            f" most {MAX_HOURLY_DAYS} days",
        )
    hours = hours_of(span, site)
    # When each hour begins, and after them when the last one ends.
    starts = [
        hours.start_ms + QUARTER_MS * hours.quarters.index(hour) for hour in range(len(hours[0]))
    ]
    starts.append(site.start_of(span.last + 1))
    if begin not in starts or end not in starts:
        raise bad_request(
            _FIELD, f"{shown(given)}; hits are told apart by whole hours of {site.timezone}"
        )
    return Range(Period.CUSTOM, dates, span, (starts.index(begin), starts.index(end)))


def _ms(text: str) -> int:
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        at = datetime.fromisoformat(text.upper().replace(" ", "T"))
        if not to_date(FIRST_DAY).year <= at.year <= to_date(LAST_DAY).year:
            raise ValueError
        return int(at.timestamp()) * 1000
    except (ValueError, OverflowError):
        raise bad_request(_FIELD, f"{shown(text)}; expected {_EXPECTED}") from None
