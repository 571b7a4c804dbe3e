"""The last good numbers read rightly on a later day: what was today is yesterday."""

from datetime import date

import msgspec
import pytest

from services.api.counter.queries import OnlinePeak
from services.api.counter.reading import PageReading, Reading
from services.model.calendar import Grain, to_day


def read_on(day: date) -> Reading:
    """A reading of a day: one view that day, two the day before, 40 that month, and so on."""
    today = to_day(day)
    counted = {
        (Grain.DAY, today): 1,
        (Grain.DAY, today - 1): 2,
        (Grain.MONTH, to_day(day.replace(day=1))): 40,
        (Grain.YEAR, to_day(day.replace(month=1, day=1))): 500,
        (Grain.TOTAL, 0): 6000,
    }
    balances = {(Grain.TOTAL, 0): 90_000}
    return Reading(1, today, "2020-01-01", OnlinePeak(7, 1), counted, balances)


@pytest.mark.parametrize(
    ("read", "shown", "expected"),
    [
        (
            date(2024, 1, 3),
            date(2024, 1, 3),
            {"today": 1, "yesterday": 2, "this_week": 3, "this_month": 40, "this_year": 500},
        ),
        (
            date(2024, 1, 3),
            date(2024, 1, 4),
            {"today": 0, "yesterday": 1, "this_week": 3, "this_month": 40, "this_year": 500},
        ),
        (
            date(2024, 1, 7),  # a Sunday
            date(2024, 1, 8),
            {"today": 0, "yesterday": 1, "this_week": 0, "last_week": 3, "this_month": 40},
        ),
        (
            date(2024, 2, 29),
            date(2024, 3, 1),
            {"today": 0, "yesterday": 1, "this_month": 0, "last_month": 40, "this_year": 500},
        ),
        (
            date(2023, 12, 31),
            date(2024, 1, 1),
            {"yesterday": 1, "this_month": 0, "last_month": 40, "this_year": 0, "last_year": 500},
        ),
    ],
)
def test_what_was_read_on_one_day_is_shown_on_another(
    read: date, shown: date, expected: dict[str, int]
) -> None:
    numbers = read_on(read).numbers(to_day(shown))

    assert {name: numbers[name] for name in expected} == expected
    assert numbers["total"] == 96_000


def test_yesterdays_peak_is_not_todays() -> None:
    reading = read_on(date(2024, 1, 3))

    assert reading.peak_of(reading.day) == OnlinePeak(7, 1)
    assert reading.peak_of(reading.day + 1) is None


def test_the_views_of_a_page_today_begin_again_on_the_next_day() -> None:
    page = PageReading(as_of=1, day=10, views=440, today=3, ledger=5, ledger_today=1)

    assert page.numbers(10) == {"views": 445, "today": 4}
    assert page.numbers(11) == {"views": 445, "today": 0}


def test_a_reading_is_the_same_after_it_was_kept() -> None:
    reading = read_on(date(2024, 1, 3))
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(reading), type=Reading)

    assert kept == reading
    assert kept.says_the_same(msgspec.structs.replace(reading, as_of=99))
    assert not kept.says_the_same(msgspec.structs.replace(reading, since="2019-01-01"))
