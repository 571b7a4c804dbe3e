"""How many hits one visitor may send."""

from services.ingest.token_bucket import TokenBuckets, Turn

NOW = 1_000_000


def test_a_burst_is_taken_and_then_no_more() -> None:
    rates = TokenBuckets(per_minute=60, burst=5)
    taken = [rates.take(1, NOW) for _ in range(7)]
    assert taken == [Turn.FIRST] + [Turn.NEXT] * 4 + [Turn.REFUSED] * 2


def test_tokens_come_back_with_time() -> None:
    now = NOW
    rates = TokenBuckets(per_minute=60, burst=2)
    assert [bool(rates.take(1, now)) for _ in range(3)] == [True, True, False]
    now += 1000
    assert [bool(rates.take(1, now)) for _ in range(2)] == [True, False]
    now += 3_600_000
    assert [bool(rates.take(1, now)) for _ in range(3)] == [True, True, False]


def test_one_visitor_does_not_use_up_what_another_may_send() -> None:
    rates = TokenBuckets(per_minute=60, burst=1)
    assert rates.take(1, NOW)
    assert not rates.take(1, NOW)
    assert rates.take(2, NOW)


def test_a_million_invented_visitors_do_not_fill_the_memory() -> None:
    rates = TokenBuckets(per_minute=60, burst=1, capacity=100)
    for visitor in range(10_000):
        assert rates.take(visitor, NOW)
        assert len(rates) <= 100


def test_who_goes_on_sending_is_not_forgotten_for_all_who_are_invented() -> None:
    rates = TokenBuckets(per_minute=60, burst=100, capacity=100)
    for visitor in range(1000, 1100):
        rates.take(7, NOW)
        rates.take(visitor, NOW)
    assert not rates.take(7, NOW)


def test_who_was_forgotten_on_purpose_is_new_again() -> None:
    rates = TokenBuckets(per_minute=60, burst=9)
    assert [rates.take(1, NOW), rates.take(1, NOW)] == [Turn.FIRST, Turn.NEXT]
    rates.forget(1)
    assert rates.take(1, NOW) is Turn.FIRST
    assert len(rates) == 1
