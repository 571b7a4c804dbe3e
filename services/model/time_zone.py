"""Changing the time zone of a site: its days stay in order, and none is cut short."""

from typing import NamedTuple

from services.model.calendar import day_start_ms, local_day

_HOUR_MS = 3_600_000


class ZoneChange(NamedTuple):
    """A change of zone in the future.

    at_ms        from when the new zone applies, in ms since 1970
    day          the site's day that is under way just before
    hours        how long that day is, 24 without a change
    hours_after  how long the day after it is
    """

    zone_before: str
    zone: str
    at_ms: int
    day: int
    hours: float
    hours_after: float


def planned(now_ms: int, before: str, zone: str) -> ZoneChange:
    """Return when another zone can apply so that no day of a site is repeated or left out.

    That is the next midnight of the new zone. At that moment, the day of the old zone has just
    ended, or is the one that begins, unless the zones are more than a day apart, as some in the
    Pacific are. If the old zone is that far ahead, its day continues until the new zone has caught
    up (`Site.day_of`). If the new zone is, a day would be left out, so the change is at noon.
    """
    midnight = day_start_ms(local_day(now_ms, zone) + 1, zone)
    leaves_out = local_day(midnight, zone) > local_day(midnight - 1, before) + 1
    at_ms = midnight + 12 * _HOUR_MS if leaves_out else midnight
    last = local_day(at_ms - 1, before)
    begins = day_start_ms(last, before)
    ends = max(at_ms, day_start_ms(last + 1, zone))
    ends_after = day_start_ms(last + 2, zone)
    return ZoneChange(
        before, zone, at_ms, last, (ends - begins) / _HOUR_MS, (ends_after - ends) / _HOUR_MS
    )
