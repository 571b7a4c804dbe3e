"""How counter rows per day, month, year and in total add up to the periods of the block's lines."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from services.model.calendar import Grain, period_start
from services.model.lines import PERIODS

Key = tuple[Grain, int]
"""Grain and first day of the period of one counter row."""

GRAINS = tuple(Grain)


class Periods(NamedTuple):
    """The rows that each period sums up, as of one day of a site's calendar."""

    rows: tuple[tuple[str, tuple[Key, ...]], ...]

    @staticmethod
    @lru_cache(maxsize=64)
    def around(today: int) -> "Periods":
        """Return the periods as of this day."""
        return Periods(tuple((line.value, tuple(rows(today))) for line, rows in PERIODS.items()))

    def keys(self) -> frozenset[Key]:
        """Return the keys of all rows that the numbers are made of."""
        return frozenset(key for _, keys in self.rows for key in keys)

    def numbers(self, rows: Mapping[Key, int]) -> dict[str, int]:
        """Return the number of each period; a missing row counts as 0."""
        return {name: sum([rows.get(key, 0) for key in keys]) for name, keys in self.rows}


def containing(grain: Grain, start: int) -> Iterable[Key]:
    """Return the period itself and every longer one it belongs to: a day to all four grains."""
    for longer in GRAINS[GRAINS.index(grain) :]:
        yield longer, period_start(start, longer)


def add(rows: dict[Key, int], grain: Grain, start: int, count: int) -> None:
    """Add a count to its period and to every longer one it belongs to."""
    for key in containing(grain, start):
        rows[key] = rows.get(key, 0) + count
