"""The time zone of a site when it changes: days go on in order, and none is cut off."""

from typing import NamedTuple

from services.model.calendar import day_start_ms, local_day


class ZoneChange(NamedTuple):
    """A change of zone that is to come.

    at_ms      the midnight of the new zone from which it holds, in ms since 1970
    day        the site's day that is under way just before
    hours      how long that day is then; by the clocks of one zone, 24
    """

    zone_before: str
    zone: str
    at_ms: int
    day: int
    hours: float


def planned(now_ms: int, before: str, zone: str) -> ZoneChange:
    """Return the next midnight of a zone at which no day of a site comes again.

    At that midnight the day of the old zone has just ended, or is the one that begins: today goes
    on or turns, as at every midnight, and never goes back to less.
    """
    # Zones are a day and two hours apart at most; the few that are more than a day never meet.
    at_ms = day_start_ms(local_day(now_ms, zone) + 1, zone)
    last = local_day(at_ms - 1, before)
    begins = day_start_ms(last, before)
    ends = day_start_ms(last + 1, zone)
    return ZoneChange(before, zone, at_ms, last, (ends - begins) / 3_600_000)
