"""The lines of a block: the only list of them, for scripts, badge, page, API and dashboard.

A line is a field of the counter's JSON. To add a period, add it here: API, OpenAPI, forms and
commands follow, and so do the scripts once they are built again (`make widget`).
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Self

from services.model.calendar import (
    Grain,
    period_start,
    previous_month,
    previous_year,
    week_start,
)

Rows = Callable[[int], Iterable[tuple[Grain, int]]]
"""Day of the site's calendar → grain and first day of each counter row that a period adds up."""


class _Entry(NamedTuple):
    name: str
    vi: str
    en: str
    rows: Rows | None
    by_default: bool
    above_zero: bool


def _line(
    name: str,
    *,
    vi: str,
    en: str,
    rows: Rows | None = None,
    by_default: bool = False,
    above_zero: bool = False,
) -> _Entry:
    return _Entry(name, vi, en, rows, by_default, above_zero)


def _days(first: int, count: int) -> Iterable[tuple[Grain, int]]:
    return [(Grain.DAY, first + i) for i in range(count)]


class Line(StrEnum):
    """A line of the block: the field of the counter's JSON that it shows."""

    vi: str
    en: str
    rows: Rows | None
    by_default: bool
    above_zero: bool

    def __new__(cls, *entry: Any) -> Self:
        """Create a member from an _Entry; its value is its name.

        `vi` and `en` are its labels. `rows` are the counter rows that a period adds up; None for
        numbers of people at one time. `by_default` says whether blocks that name no lines show it,
        `above_zero` whether it is hidden while its number is 0.
        """
        of = _Entry(*entry)
        line = str.__new__(cls, of.name)
        line._value_ = of.name
        line.vi, line.en, line.rows = of.vi, of.en, of.rows
        line.by_default, line.above_zero = of.by_default, of.above_zero
        return line

    ONLINE = _line("online", vi="Đang truy cập", en="Online", by_default=True)
    BOTS = _line("bots", vi="Máy chủ tìm kiếm", en="Bots", above_zero=True)
    GUESTS = _line("guests", vi="Khách viếng thăm", en="Guests", above_zero=True)
    TODAY = _line(
        "today",
        vi="Hôm nay",
        en="Today",
        rows=lambda day: [(Grain.DAY, day)],
        by_default=True,
    )
    YESTERDAY = _line(
        "yesterday",
        vi="Hôm qua",
        en="Yesterday",
        rows=lambda day: [(Grain.DAY, day - 1)],
        by_default=True,
    )
    THIS_WEEK = _line(
        "this_week",
        vi="Tuần này",
        en="This week",
        rows=lambda day: _days(week_start(day), 7),
        by_default=True,
    )
    LAST_WEEK = _line(
        "last_week",
        vi="Tuần trước",
        en="Last week",
        rows=lambda day: _days(week_start(day) - 7, 7),
    )
    THIS_MONTH = _line(
        "this_month",
        vi="Tháng này",
        en="This month",
        rows=lambda day: [(Grain.MONTH, period_start(day, Grain.MONTH))],
        by_default=True,
    )
    LAST_MONTH = _line(
        "last_month",
        vi="Tháng trước",
        en="Last month",
        rows=lambda day: [(Grain.MONTH, previous_month(day))],
    )
    THIS_YEAR = _line(
        "this_year",
        vi="Năm này",
        en="This year",
        rows=lambda day: [(Grain.YEAR, period_start(day, Grain.YEAR))],
        by_default=True,
    )
    LAST_YEAR = _line(
        "last_year",
        vi="Năm trước",
        en="Last year",
        rows=lambda day: [(Grain.YEAR, previous_year(day))],
    )
    TOTAL = _line(
        "total",
        vi="Tổng lượt truy cập",
        en="Total",
        rows=lambda _: [(Grain.TOTAL, 0)],
        by_default=True,
    )
    PEAK = _line("peak", vi="Truy cập đồng thời cao nhất", en="Most at once")


PERIODS: Mapping[Line, Rows] = {line: line.rows for line in Line if line.rows}
"""The lines that add up counter rows, in the order of the counter's JSON."""

PEOPLE = tuple(line for line in Line if not line.rows)
"""The lines for people at one time: they have no period and no unit."""

DEFAULT_LINES = tuple(line for line in Line if line.by_default)
"""The lines of a block that does not name any."""
