"""When a link may be mended: at once after a fault, later and later while Redis is slow."""

import pytest

from services.ingest.link import LONGEST_HOLD_SECONDS, RELAPSE_SECONDS, Link


class Clock:
    """Seconds, moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def held_for(link: Link, clock: Clock) -> float:
    """Return how long the link is held, moving the clock to the end of it."""
    began = clock.now
    while link.held:
        clock.now += 0.25
    return clock.now - began


def test_a_link_that_was_cut_by_a_fault_may_be_mended_at_once(clock: Clock) -> None:
    link = Link(clock)
    for _ in range(5):
        link.cut("refused")
        assert (link.up, link.held, link.slow) == (False, False, False)
        link.mend()


def test_a_link_that_is_slow_again_and_again_is_held_twice_as_long_each_time(clock: Clock) -> None:
    link = Link(clock)
    holds = []
    for _ in range(9):
        link.cut("slow", slow=True)
        assert link.slow
        holds.append(held_for(link, clock))
        link.mend()
        clock.now += 3
    assert holds == [0, 1, 2, 4, 8, 16, 32, LONGEST_HOLD_SECONDS, LONGEST_HOLD_SECONDS]


def test_a_link_that_was_up_for_a_while_is_trusted_again(clock: Clock) -> None:
    link = Link(clock)
    for _ in range(3):
        link.cut("slow", slow=True)
        held_for(link, clock)
        link.mend()
    clock.now += RELAPSE_SECONDS + 1
    link.cut("slow", slow=True)
    assert not link.held


def test_a_fault_of_a_link_that_is_held_does_not_change_how_long(clock: Clock) -> None:
    link = Link(clock)
    for _ in range(3):
        link.cut("slow", slow=True)
        held_for(link, clock)
        link.mend()
    link.cut("slow", slow=True)
    link.cut("refused")
    assert (link.fault, link.slow) == ("refused", False)
    assert held_for(link, clock) == 4
