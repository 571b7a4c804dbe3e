"""The clock that the parts of ingest get."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Milliseconds since 1970, UTC."""

DAY_MS = 24 * 3600 * 1000


def system_clock() -> int:
    """Return this machine's time."""
    return time.time_ns() // 1_000_000
