"""When a breaker may close: at once after a fault, later and later while Redis is slow."""

import pytest

from services.ingest.circuit_breaker import (
    LONGEST_BACK_OFF_SECONDS,
    RELAPSE_SECONDS,
    CircuitBreaker,
)


class Clock:
    """Seconds, moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def back_off(breaker: CircuitBreaker, clock: Clock) -> float:
    """Return how long the breaker backs off, moving the clock to the end of it."""
    began = clock.now
    while not breaker.half_open:
        clock.now += 0.25
    return clock.now - began


def test_a_breaker_that_a_fault_opened_may_close_at_once(clock: Clock) -> None:
    breaker = CircuitBreaker(clock)
    for _ in range(5):
        breaker.open("refused")
        assert (breaker.closed, breaker.half_open, breaker.slow) == (False, True, False)
        breaker.close()


def test_a_breaker_that_is_slow_again_and_again_backs_off_twice_as_long_each_time(
    clock: Clock,
) -> None:
    breaker = CircuitBreaker(clock)
    waits = []
    for _ in range(9):
        breaker.open("slow", slow=True)
        assert breaker.slow
        waits.append(back_off(breaker, clock))
        breaker.close()
        clock.now += 3
    assert waits == [0, 1, 2, 4, 8, 16, 32, LONGEST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS]


def test_a_breaker_that_was_closed_for_a_while_is_trusted_again(clock: Clock) -> None:
    breaker = CircuitBreaker(clock)
    for _ in range(3):
        breaker.open("slow", slow=True)
        back_off(breaker, clock)
        breaker.close()
    clock.now += RELAPSE_SECONDS + 1
    breaker.open("slow", slow=True)
    assert breaker.half_open


def test_a_fault_during_a_back_off_does_not_change_how_long_it_is(clock: Clock) -> None:
    breaker = CircuitBreaker(clock)
    for _ in range(3):
        breaker.open("slow", slow=True)
        back_off(breaker, clock)
        breaker.close()
    breaker.open("slow", slow=True)
    breaker.open("refused")
    assert (breaker.fault, breaker.slow) == ("refused", False)
    assert back_off(breaker, clock) == 4
