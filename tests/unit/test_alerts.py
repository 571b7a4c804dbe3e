"""What is far from usual, and which hours are the same ones."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.api.sites.alerts.judging import AlertKind, HourViews, begins, goes_on, may_begin
from services.api.sites.alerts.same_hours import same_hours
from services.model.site import Site

SPIKE, DROP = AlertKind.SPIKE, AlertKind.DROP
BERLIN = Site(slug="berlin", timezone="Europe/Berlin", created_at=1)


@pytest.mark.parametrize(
    ("seen", "weeks", "kind", "percent", "expected"),
    [
        (900, (300, 310, 290, 300), SPIKE, 200, True),
        (899, (300, 310, 290, 300), SPIKE, 200, False),
        (900, (300, 310, 290, 950), SPIKE, 200, False),  # a week was as high
        (104, (5, 4, 6, 5), SPIKE, 200, False),  # 99 more than usual may be one reader's
        (105, (5, 4, 6, 5), SPIKE, 200, True),
        (100, (0, 0, 0, 0), SPIKE, 200, True),
        (900, (300, None, None, None), SPIKE, 200, False),  # one week is not usual
        (900, (300, None, None, 300), SPIKE, 200, True),
        (900, (300, 310, 290, 300), SPIKE, 0, False),  # off
        (90, (300, 310, 290, 300), DROP, 70, True),
        (91, (300, 310, 290, 300), DROP, 70, False),
        (90, (300, 310, 290, 80), DROP, 70, False),  # a week was as low, such as Tết
        (0, (99, 99, 99, 99), DROP, 70, False),
        (0, (100, 100, 100, 100), DROP, 100, True),
        (90, (300, 310, 290, 300), SPIKE, 200, False),
        (900, (300, 310, 290, 300), DROP, 70, False),
    ],
)
def test_what_is_far_from_usual_begins(
    seen: int, weeks: tuple[int | None, ...], kind: AlertKind, percent: int, expected: bool
) -> None:
    assert begins(HourViews(seen, weeks), kind, percent) is expected


def test_a_look_is_taken_also_where_floods_that_were_corrected_hide_a_change() -> None:
    assert may_begin(HourViews(930, (300, 310, 5000, 5000)), SPIKE, 200)
    assert may_begin(HourViews(90, (310, 5000, 300, 20)), DROP, 70)
    assert not may_begin(HourViews(310, (300, 310, 290, 0)), SPIKE, 200)
    assert not may_begin(HourViews(900, (300, None, None, None)), SPIKE, 200)


def test_what_began_is_over_at_half_and_not_where_nothing_is_known() -> None:
    weeks = (300, 310, 290, 300)
    assert goes_on(HourViews(600, weeks), SPIKE, 200)
    assert not goes_on(HourViews(599, weeks), SPIKE, 200)
    assert goes_on(HourViews(195, weeks), DROP, 70)
    assert not goes_on(HourViews(196, weeks), DROP, 70)
    assert goes_on(HourViews(300, (300, None, None, None)), SPIKE, 200)


def hours_of(year: int, month: int, day: int, hour: int, minute: int, fold: int = 0) -> list[str]:
    """Return when the last hours and those of the weeks before begin, by Berlin's clocks."""
    zone = ZoneInfo("Europe/Berlin")
    at = datetime(year, month, day, hour, minute, tzinfo=zone, fold=fold)
    hours = same_hours(BERLIN, int(at.timestamp() * 1000))
    if hours is None:
        return []
    return [
        "–"
        if span is None
        else f"{datetime.fromtimestamp(span.start / 1000, zone):%d.%m. %H:%M%z} +"
        f"{(span.end - span.start) // 3_600_000}"
        for span in (hours.last, *hours.weeks)
    ]


def test_the_same_hours_are_those_that_the_clocks_show() -> None:
    # Clocks went forward on 31 March 2024.
    assert hours_of(2024, 4, 10, 14, 10) == [
        "10.04. 11:00+0200 +3",
        "03.04. 11:00+0200 +3",
        "27.03. 11:00+0100 +3",
        "20.03. 11:00+0100 +3",
        "13.03. 11:00+0100 +3",
    ]
    assert hours_of(2024, 4, 10, 14, 9)[0] == "10.04. 10:00+0200 +3", "ten minutes for late ones"
    assert hours_of(2024, 4, 10, 1, 30)[0] == "09.04. 22:00+0200 +3", "over midnight"


def test_a_week_whose_clocks_were_changed_in_these_hours_is_left_out() -> None:
    # There was no 2 o'clock on 31 March 2024, and two on 27 October.
    assert hours_of(2024, 4, 7, 4, 10)[:3] == ["07.04. 01:00+0200 +3", "–", "24.03. 01:00+0100 +3"]
    assert hours_of(2024, 11, 3, 4, 10)[:2] == ["03.11. 01:00+0100 +3", "–"]
    assert hours_of(2024, 3, 31, 4, 10) == ["31.03. 00:00+0100 +3", *["–"] * 4]
    assert hours_of(2024, 10, 27, 4, 10) == ["27.10. 02:00+0200 +3", *["–"] * 4]
    assert hours_of(2024, 10, 27, 2, 30, fold=1) == [], "the first half of a doubled hour"
