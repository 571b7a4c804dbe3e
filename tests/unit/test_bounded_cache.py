"""A cache is as large as it may be in bytes, whatever strangers put into it."""

import gc
import tracemalloc
from sys import getsizeof

import pytest

from services.model.bounded_cache import ENTRY_BYTES, BoundedCache

BUDGET = 256 << 10


def text_bytes(key: str, value: str) -> int:
    return getsizeof(key) + getsizeof(value)


def cache(max_bytes: int = BUDGET) -> BoundedCache[str, str]:
    return BoundedCache(max_bytes, text_bytes)


@pytest.mark.parametrize("length", [1, 30, 500, 8000])
def test_it_takes_no_more_memory_than_it_may(length: int) -> None:
    gc.collect()
    tracemalloc.start()
    try:
        known = cache()
        for number in range(4 * BUDGET // (2 * length + ENTRY_BYTES)):
            known.put(f"k{number}".ljust(length), f"v{number}".ljust(length))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert BUDGET / 3 < used < 1.05 * BUDGET


def test_what_is_used_again_and_again_stays() -> None:
    known = cache()
    known.put("home", "page")
    for number in range(20_000):
        known.put(f"invented {number}", "x")
        assert known.get("home") == "page"
    assert known.get("invented 0") is None
    assert known.get("invented 19999") == "x"


def test_what_is_larger_than_half_of_it_pushes_nothing_out() -> None:
    known = cache()
    known.put("home", "page")
    known.put("large", "x" * BUDGET)
    assert (known.get("home"), known.get("large")) == ("page", None)
    assert len(known) == 1


def test_nothing_is_left_once_it_was_cleared() -> None:
    known = cache()
    for number in range(5_000):
        known.put(f"{number}", "x")
    known.clear()
    assert len(known) == 0
    assert known.get("4999") is None
