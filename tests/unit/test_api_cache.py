"""Answers are kept for a moment, read once for everybody, and served again on a fault."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from services.api.counter import cache as cache_module
from services.api.counter.cache import (
    BYTES_A_VALUE,
    OVERTAKE_SECONDS,
    Cached,
    NothingCachedError,
    StaleIfErrorCache,
    TooManyWaitingError,
)
from services.store.interface import StoreError, StoreUnavailableError
from tests.patience import rounds


class Source:
    """Values that grow with each reading, from a source that can be slow or broken."""

    def __init__(self) -> None:
        self.now = 0.0
        self.readings: list[list[str]] = []
        self.fault: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.unreadable: set[str] = set()
        self.under_way = 0

    async def load(self, keys: Sequence[str]) -> dict[str, int]:
        self.readings.append(list(keys))
        number = len(self.readings)
        self.under_way += 1
        try:
            await self.may_answer.wait()
        finally:
            self.under_way -= 1
        if self.fault is not None:
            raise self.fault
        return {key: number for key in keys if key not in self.unreadable}

    def cache(self, budget: float = 2.0, **more: Any) -> StaleIfErrorCache[str, int]:
        return StaleIfErrorCache(self.load, budget=budget, clock=lambda: self.now, **more)


async def test_a_value_is_read_again_after_a_second() -> None:
    source = Source()
    cache = source.cache()

    assert await cache.get("a") == Cached(1, stale=False)
    source.now = 0.99
    assert (await cache.get("a"), cache.fresh("a")) == (Cached(1, stale=False), 1)
    source.now = 1.0
    assert cache.fresh("a") is None
    assert await cache.get("a") == Cached(2, stale=False)


async def test_what_is_fresh_for_minutes_is_tried_again_a_second_after_a_fault() -> None:
    source = Source()
    cache = source.cache(ttl=600.0)
    source.fault = StoreUnavailableError("away")
    with pytest.raises(NothingCachedError):
        await cache.get("a")

    source.fault = None
    source.now = 1.0
    assert await cache.get("a") == Cached(2, stale=False)
    source.now = 600.0
    assert cache.fresh("a") == 2


async def test_everybody_waits_for_one_reading() -> None:
    source = Source()
    cache = source.cache()

    held = await asyncio.gather(*(cache.get("a") for _ in range(50)))

    assert held == [Cached(1, stale=False)] * 50
    assert source.readings == [["a"]]


async def test_only_what_is_missing_is_read() -> None:
    source = Source()
    cache = source.cache()
    await cache.get("a")

    assert await cache.get_many(["a", "b", "c", "b"]) == {
        "a": Cached(1, stale=False),
        "b": Cached(2, stale=False),
        "c": Cached(2, stale=False),
    }
    assert source.readings == [["a"], ["b", "c"]]


@pytest.mark.parametrize(
    "fault", [StoreUnavailableError("away"), StoreError("refused"), RuntimeError("a defect")]
)
async def test_on_any_fault_the_last_good_value_is_stale_and_the_next_try_comes_later(
    fault: Exception,
) -> None:
    source = Source()
    cache = source.cache()
    await cache.get("a")
    source.fault = fault

    source.now = 5.0
    assert await cache.get("a") == Cached(1, stale=True)
    source.now = 5.5
    assert await cache.get("a") == Cached(1, stale=True)
    assert len(source.readings) == 2

    source.fault = None
    source.now = 6.0
    assert await cache.get("a") == Cached(3, stale=False)


async def test_nothing_known_and_nothing_readable_is_an_error() -> None:
    source = Source()
    source.fault = StoreUnavailableError("away")

    with pytest.raises(NothingCachedError):
        await source.cache().get("a")


async def test_nobody_waits_longer_than_the_budget_for_a_store_that_hangs() -> None:
    source = Source()
    cache = source.cache(budget=0.02)
    await cache.get("a")
    source.may_answer.clear()
    source.now = 5.0

    assert await cache.get("a") == Cached(1, stale=True)
    source.now = 6.0
    async with asyncio.timeout(90):  # the reading is over its budget already
        assert await cache.get("a") == Cached(1, stale=True)
    assert len(source.readings) == 2

    source.may_answer.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await cache.get("a") == Cached(2, stale=False)


async def test_who_goes_away_does_not_end_the_reading_of_the_others() -> None:
    source = Source()
    cache = source.cache()
    source.may_answer.clear()
    first = asyncio.create_task(cache.get("a"))
    second = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    first.cancel()
    source.may_answer.set()

    assert await second == Cached(1, stale=False)


async def test_beyond_the_limit_the_longest_not_read_is_forgotten() -> None:
    source = Source()
    cache = source.cache(max_bytes=2 * BYTES_A_VALUE)
    for key in "abc":
        await cache.get(key)

    source.fault = StoreUnavailableError("away")
    source.now = 5.0
    assert await cache.get("c") == Cached(3, stale=True)
    with pytest.raises(NothingCachedError):
        await cache.get("a")


async def test_values_without_worth_push_out_none_of_the_others() -> None:
    source = Source()
    cache = source.cache(max_bytes=8 * BYTES_A_VALUE, worth=lambda value: value < 3)
    for key in "abcdefghijklmnopqrst":
        await cache.get(key)

    source.fault = StoreUnavailableError("away")
    source.now = 5.0
    assert await cache.get("a") == Cached(1, stale=True)
    assert await cache.get("t") == Cached(20, stale=True)
    with pytest.raises(NothingCachedError):
        await cache.get("c")


async def test_what_is_unknown_does_not_wait_without_end_and_what_is_known_goes_on() -> None:
    source = Source()
    cache = source.cache(waiting=2, batch=1)
    await cache.get("a")
    source.now = 5.0
    source.may_answer.clear()
    waiting = [asyncio.create_task(cache.get(key)) for key in "bc"]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaitingError):
        await cache.get("d")
    known = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    source.may_answer.set()

    assert [held.value for held in await asyncio.gather(*waiting)] == [2, 3]
    assert await known == Cached(4, stale=False)
    assert await cache.get("d") == Cached(5, stale=False)


async def test_what_is_asked_for_during_a_reading_is_read_together_after_it() -> None:
    source = Source()
    cache = source.cache(batch=3)
    source.may_answer.clear()
    first = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(cache.get(key)) for key in "bcbde"]
    await asyncio.sleep(0)
    source.may_answer.set()

    assert await first == Cached(1, stale=False)
    assert [held.value for held in await asyncio.gather(*others)] == [2, 2, 2, 2, 3]
    assert source.readings == [["a"], ["b", "c", "d"], ["e"]]


async def test_a_reading_that_hangs_is_overtaken() -> None:
    source = Source()
    cache = source.cache()
    source.may_answer.clear()
    hanging = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    source.may_answer = asyncio.Event()
    source.may_answer.set()

    async with asyncio.timeout(OVERTAKE_SECONDS * 10):
        assert await cache.get("b") == Cached(2, stale=False)
    assert not hanging.done()
    await cache.close()
    with pytest.raises(NothingCachedError):
        await hanging


async def test_groups_do_not_wait_for_each_other() -> None:
    source = Source()
    cache = source.cache(group=lambda key: key[0])
    source.may_answer.clear()
    waiting = [asyncio.create_task(cache.get(key)) for key in ("a1", "b1", "a2")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert source.readings == [["a1", "a2"], ["b1"]]
    source.may_answer.set()
    await asyncio.gather(*waiting)


async def test_readings_of_a_group_begin_a_pause_apart() -> None:
    source = Source()
    cache = source.cache(pause=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for key in "abc":
        await cache.get(key)

    assert loop.time() - began > 0.09
    assert source.readings == [["a"], ["b"], ["c"]]


async def test_a_key_that_cannot_be_read_leaves_the_others_fresh() -> None:
    source = Source()
    cache = source.cache()
    await cache.get_many(["a", "b"])
    source.unreadable = {"b"}

    source.now = 5.0
    assert await cache.get_many(["a", "b"]) == {
        "a": Cached(2, stale=False),
        "b": Cached(1, stale=True),
    }
    assert await cache.get("b") == Cached(1, stale=True)
    assert len(source.readings) == 2  # not tried again at once

    source.unreadable = set()
    source.now = 6.0
    assert await cache.get("b") == Cached(3, stale=False)


async def test_of_many_values_that_were_never_read_one_missing_is_an_error() -> None:
    source = Source()
    source.unreadable = {"b"}

    with pytest.raises(NothingCachedError, match="b"):
        await source.cache().get_all(["a", "b"])


async def test_a_value_is_renewed_when_it_will_soon_be_old_and_stays_fresh_meanwhile() -> None:
    source = Source()
    cache = source.cache()
    await cache.get_many(["a", "b"])

    source.now = 0.5
    cache.refresh(["a", "b"])
    await asyncio.sleep(0)
    assert len(source.readings) == 1

    source.now = 0.8
    source.may_answer.clear()
    cache.refresh(["a"])
    cache.refresh(["a"])
    await asyncio.sleep(0)
    assert (cache.fresh("a"), cache.expires_at("a")) == (1, 1.0)
    source.may_answer.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert source.readings == [["a", "b"], ["a"]]
    assert (cache.fresh("a"), cache.expires_at("a")) == (2, 1.8)
    assert (cache.fresh("b"), cache.expires_at("b")) == (1, 1.0)


async def test_a_value_is_good_a_little_longer_while_it_is_renewed_but_not_for_ever() -> None:
    source = Source()
    cache = source.cache(grace=0.5)
    await cache.get_all(["a", "b"])
    source.now = 0.8
    source.may_answer.clear()
    cache.refresh(["a"])
    await asyncio.sleep(0)

    source.now = 1.4
    assert (cache.fresh("a"), cache.fresh("b")) == (1, None)
    assert await cache.get("a") == Cached(1, stale=False)
    source.now = 1.5
    assert cache.fresh("a") is None
    source.may_answer.set()
    assert await cache.get("a") == Cached(2, stale=False)


async def test_who_waits_does_not_wait_for_what_is_renewed() -> None:
    source = Source()
    cache = source.cache()
    await cache.get("a")
    source.now = 0.8
    source.may_answer.clear()
    cache.refresh(["a"])
    waiting = asyncio.create_task(cache.get("b"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert source.readings == [["a"], ["a"], ["b"]]
    source.may_answer.set()
    assert await waiting == Cached(3, stale=False)


GivenUp = Callable[[int], Awaitable[None]]


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> GivenUp:
    """Have readings given up soon; returns when so many were."""
    monkeypatch.setattr(cache_module, "GIVE_UP_SECONDS", 0.02)
    caplog.set_level(logging.DEBUG, cache_module.__name__)

    async def wait(times: int) -> None:
        for _ in rounds(0.01):
            if caplog.text.count("TimeoutError") >= times:
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)  # one that is not to go on ends
        await asyncio.sleep(0)

    return wait


async def test_who_knows_nothing_is_answered_by_a_slow_first_reading(given_up: GivenUp) -> None:
    source = Source()
    cache = source.cache(budget=0.01)
    source.may_answer.clear()
    waiting = [asyncio.create_task(cache.get("a")) for _ in range(3)]
    await given_up(1)
    source.may_answer.set()

    assert await asyncio.gather(*waiting) == [Cached(1, stale=False)] * 3


async def test_a_slow_reading_goes_on_and_one_that_was_quicker_stays(given_up: GivenUp) -> None:
    source = Source()
    cache = source.cache(budget=0.01)
    slow = source.may_answer = asyncio.Event()
    waiting = asyncio.create_task(cache.get_many(["a", "b"]))
    await given_up(1)
    source.now = 1.0
    source.may_answer = asyncio.Event()
    source.may_answer.set()
    assert await cache.get("a") == Cached(2, stale=False)
    slow.set()
    assert await waiting == {}
    source.may_answer = asyncio.Event()
    for _ in rounds(0.01):
        if (held := await cache.get_many(["a", "b"])).keys() == {"a", "b"}:
            break

    # What the slow one found may be old.
    assert held == {"a": Cached(2, stale=False), "b": Cached(1, stale=True)}
    await cache.close()


async def test_a_store_that_never_answers_has_one_slow_reading_at_a_time(
    given_up: GivenUp,
) -> None:
    source = Source()
    cache = source.cache(budget=0.01)
    source.may_answer = asyncio.Event()
    for second in range(3):
        source.now = float(second)
        assert await cache.get_many(["a"]) == {}
        await given_up(second + 1)
        assert source.under_way == 1
    await cache.close()
    assert source.under_way == 0


async def test_patience_with_a_store_that_never_answers_has_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache_module, "GIVE_UP_SECONDS", 0.01)
    monkeypatch.setattr(cache_module, "PATIENCE_SECONDS", 0.1)
    source = Source()
    cache = source.cache(budget=0.01)
    source.may_answer.clear()
    with pytest.raises(NothingCachedError):
        await cache.get("a")
    await cache.close()
