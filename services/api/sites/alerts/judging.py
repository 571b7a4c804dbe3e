"""Decides whether the views of some hours are far from what is usual at these hours.

Usual is the median of the same hours in previous weeks, as far as these are known. Chance moves a
count by about its square root. `LEAST` views are more than four times that for every number below
625; above it a fifth is, which is the lowest percentage that a rule may have. A week that was as
high, or as low, shows that the number is not unheard of, whatever the median says.
"""

from collections.abc import Sequence
from enum import StrEnum
from statistics import median, median_high, median_low
from typing import NamedTuple

LEAST = 100
"""The least difference in views between what is seen and what is usual."""
LEAST_PERCENT = 20
WEEKS_NEEDED = 2
"""With fewer known weeks, nothing is usual."""
_EASE = 2
"""An event ends at half the difference that it takes to begin (hysteresis)."""


class AlertKind(StrEnum):
    """What people can be told of."""

    SILENT = "silent"
    SPIKE = "spike"
    DROP = "drop"


class HourViews(NamedTuple):
    """The views of some hours, and of the same hours in each previous week; None when unknown."""

    seen: int
    weeks: Sequence[int | None]

    @property
    def known(self) -> list[int]:
        """The weeks that are known."""
        return [week for week in self.weeks if week is not None]

    @property
    def usual(self) -> int | None:
        """What is usual at these hours; None when too few weeks are known."""
        known = self.known
        return round(median(known)) if len(known) >= WEEKS_NEEDED else None


def begins(views: HourViews, kind: AlertKind, percent: int) -> bool:
    """Tell whether a spike or drop begins, by a rule's percentage; 0 is never."""
    usual = views.usual
    if usual is None or not percent:
        return False
    is_far = abs(views.seen - usual) >= LEAST and _differs(views.seen, usual, kind, percent)
    if kind is AlertKind.SPIKE:
        return is_far and views.seen > max(views.known)
    return is_far and views.seen < min(views.known)


def may_begin(roughly: HourViews, kind: AlertKind, percent: int) -> bool:
    """Tell whether one may begin, judging by numbers without corrections.

    A week may have been as high or low because of hits that were taken back, so none of them rules
    it out here.
    """
    known = roughly.known
    if len(known) < WEEKS_NEEDED or not percent:
        return False
    usual = (median_low if kind is AlertKind.SPIKE else median_high)(known)
    return abs(roughly.seen - usual) >= LEAST and _differs(roughly.seen, usual, kind, percent)


def goes_on(views: HourViews, kind: AlertKind, percent: int) -> bool:
    """Tell whether one that began goes on; it does when it is unknown what is usual."""
    usual = views.usual
    if usual is None:
        return True
    return abs(views.seen - usual) >= LEAST / _EASE and _differs(
        views.seen, usual, kind, percent / _EASE
    )


def _differs(seen: int, usual: int, kind: AlertKind, percent: float) -> bool:
    if kind is AlertKind.SPIKE:
        return seen >= usual * (1 + percent / 100)
    return seen <= usual * (1 - percent / 100)
