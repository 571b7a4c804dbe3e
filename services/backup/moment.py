"""A point in the log, as people write it."""

import re
import time
from collections.abc import Callable
from datetime import datetime

import msgspec

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_END = 1 << 63
_DIGITS = len(str(_END))
"""No position is longer, or as high."""
_AGE = re.compile(r"(\d{1,6})([smhd])")


class RewindTarget(msgspec.Struct, frozen=True):
    """A log time in ms since 1970, UTC, or a position."""

    ms: int = 0
    position: int | None = None


def parse_age(text: str) -> int:
    """Parse an age such as 90m, 24h or 7d; return milliseconds. Raises ValueError."""
    if age := _AGE.fullmatch(text):
        return int(age[1]) * _UNITS_MS[age[2]]
    raise ValueError(f"{text!r} is not a time span; expected a number and a unit (90m, 24h, 7d)")


def parse(text: str, clock: Callable[[], float] = time.time) -> RewindTarget:
    """Parse a time with an offset, an age such as 90m, or a position.

    Raises ValueError.
    """
    if text.isdecimal() and len(text) <= _DIGITS and int(text) < _END:
        return RewindTarget(position=int(text))
    if _AGE.fullmatch(text):
        return RewindTarget(max(0, int(clock() * 1000) - parse_age(text)))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(
            f"--to {text}: expected a time with its offset (2026-11-22T03:00+07:00 or …Z), an age"
            " (90m, 6h, 2d) or a position"
        )
    return RewindTarget(max(0, int(at.timestamp() * 1000)))
