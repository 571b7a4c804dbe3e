"""What is typed of an old block is what ours shows: of each period, and of one yet to be added."""

from collections.abc import Iterable, Iterator
from datetime import date

import pytest

from services.api.counter.periods import Periods
from services.api.counter.reading import Reading
from services.api.sites.balances.block import block_entries
from services.http.errors import ApiError
from services.model.calendar import Grain, months_later, period_start, to_date, to_day
from services.model.lines import PERIODS, Line
from services.model.site import Metric

MONDAY = to_day(date(2026, 11, 2))
THURSDAY = to_day(date(2026, 11, 12))
DECEMBER = to_day(date(2026, 12, 10))
JANUARY = to_day(date(2026, 1, 15))
MADE_OF_OTHERS = {(Line.THIS_WEEK, MONDAY)}
"""The week is today and, on its second day, yesterday."""


def _quarter(day: int) -> Iterable[tuple[Grain, int]]:
    month = period_start(day, Grain.MONTH)
    first = months_later(month, -((to_date(day).month - 1) % 3))
    return [(Grain.MONTH, months_later(first, number)) for number in range(3)]


def _reading(today: int) -> Reading:
    """Return a site with three views in each row of a period."""
    counted = {key: 3 for rows in PERIODS.values() for key in rows(today) if key[1] <= today}
    return Reading(0, today, "2026-01-01", None, counted, {})


@pytest.mark.parametrize("today", [MONDAY, THURSDAY, JANUARY])
@pytest.mark.parametrize("line", list(PERIODS))
def test_each_period_shows_what_was_typed(line: Line, today: int) -> None:
    if (line, today) in MADE_OF_OTHERS:
        with pytest.raises(ApiError, match="all of it is in other lines, and 497 are left over"):
            block_entries({line: 500}, _reading(today), Metric.VIEWS)
        return

    entries = block_entries({line: 500}, _reading(today), Metric.VIEWS)

    assert entries.after[line] == 500


@pytest.fixture
def quarter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Return a line that adds up the months of a quarter."""
    monkeypatch.setitem(PERIODS, Line.LAST_YEAR, _quarter)
    Periods.around.cache_clear()
    yield Line.LAST_YEAR
    Periods.around.cache_clear()


def test_a_period_of_several_months_shows_what_was_typed(quarter: Line) -> None:
    typed = {Line.THIS_MONTH: 40, quarter: 500}

    assert block_entries(typed, _reading(DECEMBER), Metric.VIEWS).after[quarter] == 500


def test_months_that_other_lines_show_stay_as_they_show_them(quarter: Line) -> None:
    typed = {Line.THIS_MONTH: 40, quarter: 500}

    with pytest.raises(ApiError, match="457 are left over"):
        block_entries(typed, _reading(THURSDAY), Metric.VIEWS)


def test_all_lines_of_a_block_show_what_was_typed() -> None:
    typed = {line: 1000 * 3**place for place, line in enumerate(PERIODS)}

    entries = block_entries(typed, _reading(THURSDAY), Metric.VIEWS)

    assert {line: entries.after[line] for line in PERIODS} == typed
