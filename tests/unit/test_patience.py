"""What a test waits for has an end, and a name when it does not come."""

import asyncio
import itertools

import pytest

from tests.patience import LEAST_LOOKS, PATIENCE_SECONDS, limited, rounds


async def test_what_does_not_end_in_time_is_named() -> None:
    with pytest.raises(AssertionError, match="healing did not end within 0 s"):
        async with limited("healing", 0.01):
            await asyncio.Event().wait()


async def test_a_timeout_of_what_is_waited_for_stays_what_it_is() -> None:
    with pytest.raises(TimeoutError):
        async with limited("healing"):
            raise TimeoutError


def test_quick_looks_are_as_many_as_pauses_fit_into_patience() -> None:
    assert len(list(rounds(0.5))) == PATIENCE_SECONDS / 0.5


def test_slow_looks_end_in_twice_the_time_but_there_are_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for seconds, looks in ((10.0, 27), (1000.0, LEAST_LOOKS)):
        clock = itertools.count(0.0, seconds)
        monkeypatch.setattr("tests.patience.time.monotonic", clock.__next__)
        assert len(list(rounds(0.1))) == looks
