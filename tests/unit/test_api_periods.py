"""How rows add up to the numbers of a block, and what an ETag says."""

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.counter import periods
from services.api.counter.body import OnlineNow, SiteNumbers
from services.api.counter.periods import Key, Periods
from services.api.counter.reading import Reading
from services.http import etag
from services.model.calendar import Grain, period_start, to_date, to_day
from services.model.display import Display, Look
from services.model.lines import PERIODS, Line
from services.model.site import Metric, Site
from services.widget.block import Block

DAYS = st.dates(date(1971, 1, 1), date(2100, 1, 1)).map(to_day)


@given(DAYS, st.lists(st.tuples(DAYS, st.integers(1, 100)), max_size=30))
def test_numbers_are_a_recount_of_the_days(today: int, counts: list[tuple[int, int]]) -> None:
    rows: dict[Key, int] = {}
    for day, count in counts:
        periods.add(rows, Grain.DAY, day, count)

    numbers = Periods.around(today).numbers(rows)

    this = to_date(today)

    def recount(day_is_in: object) -> int:
        assert callable(day_is_in)
        return sum(count for day, count in counts if day_is_in(to_date(day)))

    week = this.isocalendar()[:2]
    assert numbers["today"] == recount(lambda day: day == this)
    assert numbers["this_week"] == recount(lambda day: day.isocalendar()[:2] == week)
    assert numbers["this_month"] == recount(
        lambda day: (day.year, day.month) == (this.year, this.month)
    )
    assert numbers["last_month"] == recount(
        lambda day: day.year * 12 + day.month == this.year * 12 + this.month - 1
    )
    assert numbers["this_year"] == recount(lambda day: day.year == this.year)
    assert numbers["last_year"] == recount(lambda day: day.year == this.year - 1)
    assert numbers["total"] == sum(count for _, count in counts)


@given(DAYS)
def test_every_row_that_a_number_needs_is_asked_for(today: int) -> None:
    around = Periods.around(today)
    rows = dict.fromkeys(around.keys(), 1)

    assert around.numbers(rows) == {
        "today": 1,
        "yesterday": 1,
        "this_week": 7,
        "last_week": 7,
        "this_month": 1,
        "last_month": 1,
        "this_year": 1,
        "last_year": 1,
        "total": 1,
    }


def test_every_line_of_a_block_has_its_number_in_the_answer() -> None:
    today = to_day(date(2024, 1, 3))
    counted = dict.fromkeys(Periods.around(today).keys(), 1)
    reading = Reading(1, today, "2020-01-01", None, counted, {})
    online = OnlineNow(5, is_current=True)
    answer = SiteNumbers(Site(slug="mytho"), Metric.VISITS, reading, online).current
    numbers = msgspec.json.decode(answer.body)

    assert [name for name in numbers if name in list(Line)] == list(Line)
    block = Block.of_site(Look.of(Display(lines=tuple(Line))), numbers)
    assert dict(block.lines)[Line.ONLINE.vi] == "5"
    assert all(dict(block.lines)[line.vi] != "0" for line in PERIODS)


@given(DAYS)
def test_what_is_read_on_one_day_is_enough_for_the_next(today: int) -> None:
    read = Periods.around(today).keys()
    for line, keys in Periods.around(today + 1).rows:
        for grain, start in keys:
            begins_later = start > today
            assert begins_later or (grain, start) in read, line


@given(DAYS)
def test_every_row_begins_where_its_grain_does(today: int) -> None:
    rows = Periods.around(today).keys()
    for grain, start in rows:
        assert start == period_start(start, grain)


def test_a_balance_of_a_year_belongs_to_the_year_and_the_total_only() -> None:
    rows: dict[Key, int] = {}
    periods.add(rows, Grain.YEAR, to_day(date(2023, 6, 15)), 5)

    assert rows == {(Grain.YEAR, to_day(date(2023, 1, 1))): 5, (Grain.TOTAL, 0): 5}


@pytest.mark.parametrize(
    ("if_none_match", "held"),
    [
        (None, False),
        ("", False),
        ('"x"', False),
        ('W/"x"', False),
        ('"tag"', True),
        ('W/"tag"', True),
        ('"x", W/"tag"', True),
        ("*", True),
        ("tag", False),
    ],
)
def test_an_etag_is_compared_weakly(if_none_match: str | None, held: bool) -> None:
    assert etag.matches(if_none_match, 'W/"tag"') is held
