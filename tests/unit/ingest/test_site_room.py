"""While the log fills, the sites that took most of it are refused first."""

import pytest

from services.ingest.budgets import HOUR_MS
from services.ingest.site_room import FREE_OCTETS, SiteRoom

MORNING = 1_700_010_000_000 // HOUR_MS * HOUR_MS
HIT = 1000


@pytest.fixture
def room() -> SiteRoom:
    return SiteRoom(0.8, 0)


def send(room: SiteRoom, site: str, octets: int, at: int = MORNING) -> int:
    """Send so many bytes of hits; return how many were taken."""
    return sum(HIT for _ in range(octets // HIT) if room.take(site, at, HIT))


def test_while_the_log_has_room_a_site_takes_what_it_likes(room: SiteRoom) -> None:
    assert send(room, "mytho", 90 * FREE_OCTETS) == 90 * FREE_OCTETS // HIT * HIT
    send(room, "hue", FREE_OCTETS)
    room.look(0.8, MORNING)
    assert room.take("mytho", MORNING, HIT)


def test_the_fuller_the_log_the_smaller_the_part_of_a_site(room: SiteRoom) -> None:
    for site, part in (("flooded", 60), ("large", 30), ("small", 10)):
        send(room, site, part * FREE_OCTETS)
    refused = []
    for fullness in (0.81, 0.87, 0.89, 0.93, 0.95, 1.0):
        room.look(fullness, MORNING)
        refused.append(room.over)
    first = frozenset({"flooded"})
    # At last each has a third.
    assert refused == [frozenset(), frozenset(), first, first, first, first]
    assert not room.take("flooded", MORNING, HIT)
    assert room.take("large", MORNING, HIT)
    room.look(0.5, MORNING)
    assert room.take("flooded", MORNING, HIT)


def test_a_site_that_is_alone_has_all_of_the_log(room: SiteRoom) -> None:
    send(room, "mytho", 90 * FREE_OCTETS)
    for fullness in (0.9, 1.0, 1.3):
        room.look(fullness, MORNING)
        assert room.take("mytho", MORNING, HIT)


def test_who_takes_little_is_never_refused(room: SiteRoom) -> None:
    send(room, "mytho", FREE_OCTETS)
    send(room, "hue", HIT)
    room.look(1.0, MORNING)
    assert room.over == frozenset()


def test_what_was_taken_is_forgotten_over_an_hour(room: SiteRoom) -> None:
    send(room, "flooded", 10 * FREE_OCTETS)
    send(room, "hue", 4 * FREE_OCTETS)
    for minutes, is_over in ((0, True), (61, True), (90, True), (119, False)):
        room.look(1.0, MORNING + minutes * 60_000)
        assert ("flooded" in room.over) == is_over, minutes
    send(room, "hue", 3 * FREE_OCTETS, MORNING + 5 * HOUR_MS)
    send(room, "flooded", 2 * FREE_OCTETS, MORNING + 5 * HOUR_MS)
    room.look(1.0, MORNING + 5 * HOUR_MS)
    assert room.over == {"hue"}


def test_a_share_from_1_on_is_never_looked_at() -> None:
    room = SiteRoom(1.0, 0)
    send(room, "flooded", 10 * FREE_OCTETS)
    send(room, "hue", FREE_OCTETS)
    room.look(1.2, MORNING)
    assert room.over == frozenset()


def test_a_limit_of_an_hour_holds_for_each_site_however_empty_the_log_is() -> None:
    room = SiteRoom(0.8, 5 * HIT)
    assert send(room, "mytho", 9 * HIT) == 5 * HIT
    assert send(room, "hue", 2 * HIT) == 2 * HIT
    assert send(room, "mytho", 9 * HIT, MORNING + HOUR_MS) == 5 * HIT
