"""The statement that scans the raw hits of many sites at once.

It finds the few sites that are worth a closer look, and no numbers to show: it ignores corrections,
and hits that are there twice after a crash.
"""

from collections.abc import Sequence
from typing import NamedTuple

from services.api.sites.alerts.judging import HourViews
from services.api.sites.alerts.same_hours import SameHours
from services.model.calendar import to_date
from services.store.interface import Store

SITES_A_QUERY = 200
_WEEK_DAYS = 7

# Array elements are found by their index: week 0 is the one with the last hours.
_ROUGHLY = """
SELECT site, intDiv(%(newest)s - toUInt32(day), 7) AS week,
    countIf(at >= arrayElement(array%(starts)s, week + 1)
        AND at < arrayElement(array%(ends)s, week + 1)),
    count()
FROM hits
WHERE site IN %(sites)s AND day IN %(days)s AND bot = 0
GROUP BY site, week
"""


class RoughViews(NamedTuple):
    """The views of the hours, and of the whole days that they lie on, by week."""

    of_hours: list[int]
    of_days: list[int]

    def plus(self, other: "RoughViews") -> "RoughViews":
        """Return the views of both."""
        return RoughViews(
            [one + two for one, two in zip(self.of_hours, other.of_hours, strict=True)],
            [one + two for one, two in zip(self.of_days, other.of_days, strict=True)],
        )

    def views(self, hours: SameHours) -> HourViews:
        """Return those of the hours, for weeks that have these hours and views on their days."""
        seen, *weeks = self.of_hours
        known = [
            views if span is not None and of_days else None
            for views, of_days, span in zip(weeks, self.of_days[1:], hours.weeks, strict=True)
        ]
        return HourViews(seen, known)


async def roughly(store: Store, names: Sequence[str], hours: SameHours) -> dict[str, RoughViews]:
    """Return the views of sites in one time zone, by the names kept under. Raises StoreError."""
    spans = [hours.last, *hours.weeks]
    days = {
        day
        for week in range(len(spans))
        for day in range(
            hours.last.days.first - _WEEK_DAYS * week,
            hours.last.days.last - _WEEK_DAYS * week + 1,
        )
    }
    parameters = {
        "newest": hours.last.days.last,
        "days": [to_date(day) for day in sorted(days)],
        "starts": [0 if span is None else span.start for span in spans],
        "ends": [0 if span is None else span.end for span in spans],
    }
    by_name = {name: RoughViews([0] * len(spans), [0] * len(spans)) for name in names}
    for begin in range(0, len(names), SITES_A_QUERY):
        sites = list(names[begin : begin + SITES_A_QUERY])
        for site, week, of_hours, of_days in await store.execute(
            _ROUGHLY, parameters | {"sites": sites}
        ):
            by_name[site].of_hours[week] = of_hours
            by_name[site].of_days[week] = of_days
    return by_name
