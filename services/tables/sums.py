"""Adds up what was read from an export: by day, by page, and by longer period."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from services.model.calendar import Grain
from services.tables.line import CountLine, LineError

MOST_PAGES = 1_000_000
MAX_ADDRESS = 2048


class SummedCount(NamedTuple):
    """Visits and views of a page, a day or a period."""

    visits: int = 0
    views: int = 0


class Sums(msgspec.Struct, frozen=True):
    """The sums of a file.

    lines    how many were read
    days     by day, such as 2025-07-20
    pages    by URL
    periods  by month, year or `total`, if the system itself kept such sums
    """

    lines: int
    days: dict[str, SummedCount]
    pages: dict[str, SummedCount]
    periods: dict[str, SummedCount]


def add_up(lines: Iterable[CountLine], left_out: Counter[str]) -> Sums:
    """Return the sums of lines. Raises TableError, for instance for more than a million pages."""
    read = 0
    days: dict[str, SummedCount] = {}
    pages: dict[str, SummedCount] = {}
    periods: dict[str, SummedCount] = {}
    for line in lines:
        read += 1
        if not line.path:
            into, key = (days, line.start) if line.grain is Grain.DAY else (periods, _period(line))
        elif "\ufffd" in line.path or len(line.path) > MAX_ADDRESS:
            left_out["addresses that are not UTF-8, or too long"] += 1
            continue
        elif len(pages) >= MOST_PAGES and line.path not in pages:
            raise LineError(line.number, f"is of page {MOST_PAGES + 1}; expected fewer pages")
        else:
            into, key = pages, line.path
        before = into.get(key, SummedCount())
        into[key] = SummedCount(before.visits + line.visits, before.views + line.views)
    return Sums(read, dict(sorted(days.items())), pages, periods)


def _period(line: CountLine) -> str:
    return line.start or "total"
