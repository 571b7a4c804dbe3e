"""How long the oldest hit of the log that is not in the counters yet has waited."""

import math
import time
from collections.abc import Callable, Mapping

import msgspec

from services.log.interface import Log

FRESH_SECONDS = 5.0
"""For so long an empty log is assumed to be still empty."""


class _Late(msgspec.Struct, eq=False):
    """Hits that were appended long after they were accepted.

    accepted  when the oldest was accepted, on the monotonic clock
    ends      positions before which they are; None until known
    """

    accepted: float
    ends: Mapping[int, int] | None = None


class Uncounted:
    """The age of the oldest hit beyond the committed positions of a group.

    The last measurement stands while the log does not answer: a hit that waited goes on waiting;
    whether a log that was empty still is, becomes unknown.
    """

    def __init__(self, log: Log, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._monotonic = monotonic
        self._measured: float | None = None
        self._oldest: float | None = None
        self._late: list[_Late] = []

    def appended_late(self, seconds: float) -> None:
        """Record that hits accepted so long ago have just been appended, as from a spool."""
        self._late.append(_Late(self._monotonic() - seconds))

    async def measure(self) -> None:
        """Query the log. Raises LogError, and keeps what was known."""
        began = self._monotonic()
        if new := [late for late in self._late if late.ends is None]:
            ends = await self._log.reader.ends()
            self._late = [late for late in self._late if late not in new]
            self._late.append(_Late(min(late.accepted for late in new), ends))
        committed = await self._log.positions.committed()
        positions = {number: committed.get(number, 0) for number in range(self._log.partitions)}
        waiting = await self._log.reader.read(positions, limit=1)
        now = await self._log.reader.now()
        oldest = min((records[0].time_ms for records in waiting.values() if records), default=None)
        self._oldest = None if oldest is None else began - (now - oldest) / 1000
        self._late = [late for late in self._late if _waits(late, positions)]
        self._measured = began

    def age(self) -> float:
        """Return the age in seconds; 0 when nothing waits, NaN when unknown."""
        now = self._monotonic()
        waits = [late.accepted for late in self._late]
        if self._oldest is not None:
            waits.append(self._oldest)
        if waits:
            return max(0.0, now - min(waits))
        if self._measured is None or now - self._measured > FRESH_SECONDS:
            return math.nan
        return 0.0


def _waits(late: _Late, positions: Mapping[int, int]) -> bool:
    if late.ends is None:
        return True
    return any(positions[number] < end for number, end in late.ends.items())
