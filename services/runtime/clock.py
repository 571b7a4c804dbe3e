"""The clock that ingest's parts are given."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Milliseconds since 1970, UTC."""

DAY_MS = 24 * 3600 * 1000


def system_clock() -> int:
    """Return the time of this machine."""
    return time.time_ns() // 1_000_000
