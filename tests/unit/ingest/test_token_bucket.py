"""How many hits one visitor may send."""

from services.ingest.token_bucket import TokenBuckets, Turn


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


def test_a_burst_is_taken_and_then_no_more() -> None:
    rates = TokenBuckets(per_minute=60, burst=5, clock=Hand())
    taken = [rates.take(1) for _ in range(7)]
    assert taken == [Turn.FIRST] + [Turn.NEXT] * 4 + [Turn.REFUSED] * 2


def test_tokens_come_back_with_time() -> None:
    clock = Hand()
    rates = TokenBuckets(per_minute=60, burst=2, clock=clock)
    assert [bool(rates.take(1)) for _ in range(3)] == [True, True, False]
    clock.ms += 1000
    assert [bool(rates.take(1)) for _ in range(2)] == [True, False]
    clock.ms += 3_600_000
    assert [bool(rates.take(1)) for _ in range(3)] == [True, True, False]


def test_one_visitor_does_not_use_up_what_another_may_send() -> None:
    rates = TokenBuckets(per_minute=60, burst=1, clock=Hand())
    assert rates.take(1)
    assert not rates.take(1)
    assert rates.take(2)


def test_a_million_invented_visitors_do_not_fill_the_memory() -> None:
    rates = TokenBuckets(per_minute=60, burst=1, clock=Hand(), capacity=100)
    for visitor in range(10_000):
        assert rates.take(visitor)
        assert len(rates) <= 100


def test_who_goes_on_sending_is_not_forgotten_for_all_who_are_invented() -> None:
    rates = TokenBuckets(per_minute=60, burst=100, clock=Hand(), capacity=100)
    for visitor in range(1000, 1100):
        rates.take(7)
        rates.take(visitor)
    assert not rates.take(7)


def test_who_was_forgotten_on_purpose_is_new_again() -> None:
    rates = TokenBuckets(per_minute=60, burst=9, clock=Hand())
    assert [rates.take(1), rates.take(1)] == [Turn.FIRST, Turn.NEXT]
    rates.forget(1)
    assert rates.take(1) is Turn.FIRST
    assert len(rates) == 1
