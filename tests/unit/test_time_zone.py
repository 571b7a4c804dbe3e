"""Another time zone of a site: days go on in order, and no number falls because of it."""

from datetime import UTC, datetime
from itertools import pairwise, product
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.stats.periods.spans import QUARTER_MS, Span, hours_of
from services.model.calendar import local_day, to_date
from services.model.site import Site
from services.model.time_zone import planned

HOUR = 3_600_000
ZONES = sorted(available_timezones())
AHEAD, BEHIND = "Pacific/Kiritimati", "Pacific/Pago_Pago"


def of(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


def offset(zone: str, moment: str) -> float:
    at = datetime.fromtimestamp(of(moment) / 1000, ZoneInfo(zone)).utcoffset()
    assert at is not None
    return at.total_seconds()


def check(now: int, before: str, zone: str, step: int) -> None:
    """Check that days follow one another from now on until three days after the change."""
    plan = planned(now, before, zone)
    site = Site(slug="x", timezone=zone, timezone_before=before, timezone_from=plan.at_ms)
    assert now < plan.at_ms <= now + 38 * HOUR
    times = [*range(now, plan.at_ms + 75 * HOUR, step), plan.at_ms - 1, plan.at_ms]
    days = [site.day_of(at) for at in sorted(times)]
    assert days[0] == local_day(now, before), "today is what it was"
    assert days[-1] == local_day(max(times), zone)
    assert {after - earlier for earlier, after in pairwise(days)} <= {0, 1}

    # What is said before is what happens.
    assert site.day_of(plan.at_ms - 1) == plan.day
    starts = [site.start_of(plan.day + number) for number in range(3)]
    for number, start in enumerate(starts):
        assert site.day_of(start) == plan.day + number
        if number:
            assert site.day_of(start - 1) == plan.day + number - 1
    lengths = [(end - start) / HOUR for start, end in pairwise(starts)]
    assert lengths == [plan.hours, plan.hours_after]
    assert min(lengths) > 0


@given(
    st.sampled_from(ZONES),
    st.sampled_from(ZONES),
    st.integers(of("2015-01-01"), of("2040-01-01")),
)
def test_days_follow_one_another_through_a_change(before: str, zone: str, now: int) -> None:
    check(now, before, zone, HOUR // 4)


@pytest.mark.parametrize("moment", ["2026-01-15", "2026-07-15"])
def test_days_follow_one_another_between_any_two_clocks_on_earth(moment: str) -> None:
    clocks = {offset(zone, moment): zone for zone in ZONES}
    assert max(clocks) - min(clocks) == 26 * 3600
    for before, zone in product(clocks.values(), repeat=2):
        for hour in range(1, 24, 8):
            check(of(moment) + hour * HOUR, before, zone, HOUR)


@pytest.mark.parametrize(
    ("before", "zone", "begins", "hours"),
    [
        ("Asia/Ho_Chi_Minh", "Asia/Tokyo", "2024-01-04T15:00:00", [22, 24]),
        ("Asia/Tokyo", "Asia/Ho_Chi_Minh", "2024-01-03T17:00:00", [26, 24]),
        ("Asia/Ho_Chi_Minh", "Asia/Bangkok", "2024-01-03T17:00:00", [24, 24]),
        (AHEAD, BEHIND, "2024-01-04T11:00:00", [49, 24]),
        (BEHIND, AHEAD, "2024-01-04T22:00:00", [11, 12]),
    ],
)
def test_the_days_of_a_change_have_the_hours_between_their_midnights(
    before: str, zone: str, begins: str, hours: list[int]
) -> None:
    plan = planned(of("2024-01-03T16:00"), before, zone)
    at = datetime.fromtimestamp(plan.at_ms / 1000, UTC)
    assert at.replace(tzinfo=None).isoformat() == begins
    assert [plan.hours, plan.hours_after] == hours, to_date(plan.day)
    site = Site(slug="x", timezone=zone, timezone_before=before, timezone_from=plan.at_ms)
    for number, length in enumerate(hours):
        found = hours_of(Span(plan.day + number, plan.day + number), site)
        assert len(found.quarters) * QUARTER_MS == length * HOUR
        assert len(found.labels) == length
