"""The site's calendar: days, weeks from Monday, months and years, in its own time zone.

A day is an integer, days since 1970-01-01 on the site's wall calendar, so that it can be stored
as ClickHouse's Date and compared without a time zone.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

EPOCH = date(1970, 1, 1)
_EPOCH_ORDINAL = EPOCH.toordinal()
_MINUTE_MS = 60_000


class Grain(StrEnum):
    """The length of the period of a counter row."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    TOTAL = "total"


def zone(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name; ValueError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"unknown time zone {name!r}: expected an IANA name such as Asia/Ho_Chi_Minh"
        ) from error


def to_day(day: date) -> int:
    """Return a date as days since 1970-01-01."""
    return day.toordinal() - _EPOCH_ORDINAL


def to_date(day: int) -> date:
    """Return days since 1970-01-01 as a date."""
    return date.fromordinal(day + _EPOCH_ORDINAL)


@lru_cache(maxsize=65_536)
def _day_of_minute(minute: int, zone_name: str) -> int:
    local = datetime.fromtimestamp(minute * 60, UTC).astimezone(zone(zone_name))
    return to_day(local.date())


def local_day(at_ms: int, zone_name: str) -> int:
    """Return the calendar day on which an instant falls in a zone.

    Zones change their offset on whole minutes, so a minute lies on one day; it is looked up once.
    """
    return _day_of_minute(at_ms // _MINUTE_MS, zone_name)


def day_start_ms(day: int, zone_name: str) -> int:
    """Return the first instant of a local day in milliseconds since 1970.

    Where the clock jumps over midnight, the day begins at the jump.
    """
    midnight = datetime.combine(to_date(day), datetime.min.time(), tzinfo=zone(zone_name))
    return int(midnight.timestamp() * 1000)


@lru_cache(maxsize=4096)
def period_start(day: int, grain: Grain) -> int:
    """Return the first day of the period of a grain in which a day lies; 0 for the total."""
    match grain:
        case Grain.DAY:
            return day
        case Grain.MONTH:
            return to_day(to_date(day).replace(day=1))
        case Grain.YEAR:
            return to_day(to_date(day).replace(month=1, day=1))
        case Grain.TOTAL:
            return 0


def period_end(start: int, grain: Grain) -> int:
    """Return the day after the period of a grain that begins on a day; not for the total."""
    if grain is Grain.DAY:
        return start + 1
    # More days than the period has, but never past the end of the next one.
    return period_start(start + (32 if grain is Grain.MONTH else 367), grain)


def week_start(day: int) -> int:
    """Return the Monday of the week in which a day lies."""
    return day - to_date(day).weekday()


def previous_month(day: int) -> int:
    """Return the first day of the month before the one in which a day lies."""
    first = to_date(period_start(day, Grain.MONTH))
    return period_start(to_day(first - timedelta(days=1)), Grain.MONTH)


def previous_year(day: int) -> int:
    """Return the first day of the year before the one in which a day lies."""
    first = to_date(period_start(day, Grain.YEAR))
    return period_start(to_day(first - timedelta(days=1)), Grain.YEAR)


def months_later(day: int, months: int) -> int:
    """Return the same day some months later, or earlier; or the last of that month if shorter."""
    at = to_date(day)
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    _, days = monthrange(year, month + 1)
    return to_day(date(year, month + 1, min(at.day, days)))


def months(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the months of a span of days: the first day of each part, and the day after it."""
    while first <= last:
        end = min(period_end(period_start(first, Grain.MONTH), Grain.MONTH), last + 1)
        yield first, end
        first = end
