"""The last complete hours of a site, and the same hours in previous weeks, in its local time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.api.stats.periods.spans import QUARTER_MS, Span, hours_of
from services.model.site import Site

HOURS = 3
WEEKS = 4
LATE_MS = 10 * 60_000
"""How long after its end an hour is checked: late hits are counted by then."""
_LABEL = "%Y-%m-%d %H:00:00"


class HourSpan(NamedTuple):
    """Consecutive hours.

    days    the site's days that they are on
    labels  the hours, as `hours_of` calls them
    start   when they begin and end, in ms since 1970
    """

    days: Span
    labels: Sequence[str]
    start: int
    end: int


class SameHours(NamedTuple):
    """The last hours, and those of previous weeks, the latest first.

    None stands for a week in which the clocks changed during these hours.
    """

    last: HourSpan
    weeks: Sequence[HourSpan | None]


def same_hours(site: Site, now_ms: int) -> SameHours | None:
    """Return the last complete hours; None if the clocks changed during them."""
    today = site.day_of(now_ms - LATE_MS)
    days = Span(today - 1, today)
    labels = [
        hour.label for hour in _hours(site, days) if hour.start + hour.length <= now_ms - LATE_MS
    ][-HOURS:]
    last = _found(site, days, labels)
    if last is None:
        return None
    return SameHours(last, [_weeks_before(site, last, weeks) for weeks in range(1, WEEKS + 1)])


class _Hour(NamedTuple):
    label: str
    start: int
    length: int


def _hours(site: Site, days: Span) -> list[_Hour]:
    hours = hours_of(days, site)
    return [
        _Hour(
            label,
            hours.start_ms + hours.quarters.index(index) * QUARTER_MS,
            hours.quarters.count(index) * QUARTER_MS,
        )
        for index, label in enumerate(hours.labels)
    ]


def _weeks_before(site: Site, last: HourSpan, weeks: int) -> HourSpan | None:
    days = Span(last.days.first - 7 * weeks, last.days.last - 7 * weeks)
    return _found(site, days, [_earlier(label, weeks) for label in last.labels])


def _earlier(label: str, weeks: int) -> str:
    # Wall-clock time, not elapsed time: noon is noon in winter and in summer.
    wall = datetime.strptime(label, _LABEL) - timedelta(weeks=weeks)  # noqa: DTZ007
    return wall.strftime(_LABEL)


def _found(site: Site, days: Span, labels: Sequence[str]) -> HourSpan | None:
    hours = [hour for hour in _hours(site, days) if hour.label in labels]
    if [hour.label for hour in hours] != list(labels):
        return None
    start, end = hours[0].start, hours[-1].start + hours[-1].length
    if end - start != sum(hour.length for hour in hours):
        return None
    return HourSpan(Span(site.day_of(start), site.day_of(end - 1)), labels, start, end)
