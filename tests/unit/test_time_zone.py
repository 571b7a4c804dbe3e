"""Another time zone of a site: days go on in order, and no number falls because of it."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.model.calendar import local_day, to_date
from services.model.site import Site
from services.model.time_zone import planned

HOUR = 3_600_000
# No two of them are more than a day apart.
ZONES = ["Asia/Ho_Chi_Minh", "Asia/Tokyo", "Europe/Paris", "America/New_York", "Asia/Kathmandu"]


@given(
    st.sampled_from(ZONES),
    st.sampled_from(ZONES),
    st.integers(1_577_836_800_000, 1_893_456_000_000),  # 2020 to 2030
)
def test_days_follow_one_another_through_a_change(before: str, zone: str, now: int) -> None:
    plan = planned(now, before, zone)
    site = Site(slug="x", timezone=zone, timezone_before=before, timezone_from=plan.at_ms)
    assert now < plan.at_ms <= now + 25 * HOUR
    days = [site.day_of(now + step * HOUR // 4) for step in range(4 * 75)]
    assert days[0] == local_day(now, before), "today is what it was"
    assert days[-1] == local_day(now + 299 * HOUR // 4, zone)
    assert {after - earlier for earlier, after in pairwise(days)} <= {0, 1}
    assert site.day_of(plan.at_ms - 1) == plan.day


@pytest.mark.parametrize(
    ("before", "zone", "begins", "hours"),
    [
        ("Asia/Ho_Chi_Minh", "Asia/Tokyo", "2024-01-04T15:00:00", 22),
        ("Asia/Tokyo", "Asia/Ho_Chi_Minh", "2024-01-03T17:00:00", 26),
        ("Asia/Ho_Chi_Minh", "Asia/Bangkok", "2024-01-03T17:00:00", 24),
    ],
)
def test_the_day_of_a_change_has_the_hours_between_both_midnights(
    before: str, zone: str, begins: str, hours: int
) -> None:
    now = int(datetime(2024, 1, 3, 16, 0, tzinfo=UTC).timestamp() * 1000)
    plan = planned(now, before, zone)
    at = datetime.fromtimestamp(plan.at_ms / 1000, UTC)
    assert at.replace(tzinfo=None).isoformat() == begins
    assert plan.hours == hours, to_date(plan.day)
