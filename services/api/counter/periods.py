"""The periods that a block shows, and how rows of day, month, year and total add up to them."""

from collections.abc import Iterable, Mapping
from typing import Self

import msgspec

from services.model.calendar import (
    Grain,
    period_start,
    previous_month,
    previous_year,
    week_start,
)

Key = tuple[Grain, int]
"""Grain and first day of the period of one counter row."""

GRAINS = tuple(Grain)
_WEEK = 7


class Periods(msgspec.Struct, frozen=True):
    """The periods around one day of a site's calendar, each by its first day."""

    today: int
    this_week: int
    this_month: int
    last_month: int
    this_year: int
    last_year: int

    @classmethod
    def around(cls, today: int) -> Self:
        """Return the periods that a block shows on this day."""
        return cls(
            today=today,
            this_week=week_start(today),
            this_month=period_start(today, Grain.MONTH),
            last_month=previous_month(today),
            this_year=period_start(today, Grain.YEAR),
            last_year=previous_year(today),
        )

    def days(self) -> range:
        """Return the days that must be known one by one: this week and the one before."""
        return range(self.this_week - _WEEK, self.this_week + _WEEK)

    def keys(self) -> frozenset[Key]:
        """Return every row that the numbers are made of."""
        return frozenset(
            {
                *((Grain.DAY, day) for day in self.days()),
                (Grain.MONTH, self.this_month),
                (Grain.MONTH, self.last_month),
                (Grain.YEAR, self.this_year),
                (Grain.YEAR, self.last_year),
                (Grain.TOTAL, 0),
            }
        )

    def numbers(self, rows: Mapping[Key, int]) -> dict[str, int]:
        """Return the number of each period; a row that is missing counts nothing."""

        def days(first: int) -> int:
            return sum(rows.get((Grain.DAY, first + i), 0) for i in range(_WEEK))

        return {
            "today": rows.get((Grain.DAY, self.today), 0),
            "yesterday": rows.get((Grain.DAY, self.today - 1), 0),
            "this_week": days(self.this_week),
            "last_week": days(self.this_week - _WEEK),
            "this_month": rows.get((Grain.MONTH, self.this_month), 0),
            "last_month": rows.get((Grain.MONTH, self.last_month), 0),
            "this_year": rows.get((Grain.YEAR, self.this_year), 0),
            "last_year": rows.get((Grain.YEAR, self.last_year), 0),
            "total": rows.get((Grain.TOTAL, 0), 0),
        }


def containing(grain: Grain, start: int) -> Iterable[Key]:
    """Return the period itself and every longer one it belongs to: a day to all four grains."""
    for longer in GRAINS[GRAINS.index(grain) :]:
        yield longer, period_start(start, longer)


def add(rows: dict[Key, int], grain: Grain, start: int, count: int) -> None:
    """Add a count to its period and to every longer one it belongs to."""
    for key in containing(grain, start):
        rows[key] = rows.get(key, 0) + count
