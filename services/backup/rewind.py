"""Rewinds the aggregator in the log, to fold again what it folded before.

Rows skip the batches that they already include. So nothing changes in a healthy store, and in a
restored one the counters catch up.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from services.backup.folder import BackupError
from services.backup.moment import RewindTarget
from services.log.interface import Extent, LogPositions
from services.model.hit import VISIT_WINDOW_MS

WARM_UP_MS = 2 * (VISIT_WINDOW_MS + 60_000)
"""How much of the log must precede a position, in log time, to know all visits in progress."""


class Step(msgspec.Struct, frozen=True):
    """The rewind of one partition.

    to            the next position to read; None for the very beginning
    committed_ms  the log time of `committed`; None at the very beginning
    to_ms         the log time of `to`
    exact         whether everything that visits depend on is still in the log
    missing       whether entries between `to` and the beginning of the log may be gone
    """

    partition: int
    committed: int | None
    to: int | None
    exact: bool
    missing: bool
    entries: int
    committed_ms: int | None = None
    to_ms: int | None = None


async def plan(
    positions: LogPositions, extents: Sequence[Extent], to: RewindTarget | None = None
) -> list[Step]:
    """Return how to rewind to a moment, or by default as far as the log gives exact visits.

    Raises BackupError for a moment that a partition with unread entries has not reached yet:
    continuing from there would leave hits out.
    """
    return [await _step(positions, extent, to) for extent in extents]


async def going_on(positions: LogPositions, extent: Extent) -> Step:
    """Return the step for continuing from the committed position, as after a restore."""
    at = extent.committed or 0
    missing = extent.first is not None and extent.trimmed and at < extent.first
    exact = extent.first is None or at >= await earliest_exact(positions, extent)
    entries = 0 if at >= extent.end else _share(extent, at)
    ms = await _time_of(positions, extent.partition, extent.committed)
    return Step(
        extent.partition, extent.committed, extent.committed, exact, missing, entries, ms, ms
    )


async def _step(positions: LogPositions, extent: Extent, to: RewindTarget | None) -> Step:
    partition, committed = extent.partition, extent.committed
    committed_ms = await _time_of(positions, partition, committed)
    if extent.first is None or committed is None:
        return Step(partition, committed, committed, True, False, 0, committed_ms, committed_ms)
    earliest = await earliest_exact(positions, extent)
    target = min(earliest, committed) if to is None else await _position(positions, partition, to)
    target_ms = await _time_of(positions, partition, target)
    if target > committed and extent.end > committed:
        raise BackupError(
            f"partition {partition} is read up to {describe(committed_ms)}; to go on from"
            f" {describe(target_ms)} would leave hits out: choose an earlier time"
        )
    if target > committed:
        target, target_ms = committed, committed_ms
    missing = extent.trimmed and target < extent.first
    entries = 0 if target >= extent.end else _share(extent, target)
    exact = target >= earliest
    return Step(partition, committed, target, exact, missing, entries, committed_ms, target_ms)


async def _position(positions: LogPositions, partition: int, moment: RewindTarget) -> int:
    if moment.position is not None:
        return moment.position
    return await positions.at_time(partition, moment.ms)


async def _time_of(positions: LogPositions, partition: int, at: int | None) -> int | None:
    return await positions.time_of(partition, at) if at else None


async def earliest_exact(positions: LogPositions, extent: Extent) -> int:
    """Return the earliest position from which visits can be decided as they were.

    The log before it shows which visits were in progress.
    """
    if extent.first is None or not extent.trimmed:
        return 0
    begins = await positions.time_of(extent.partition, extent.first)
    return await positions.at_time(extent.partition, begins + WARM_UP_MS)


def _share(extent: Extent, target: int) -> int:
    first = extent.first or 0
    if target <= first:
        return extent.entries
    return max(1, round(extent.entries * (extent.end - target) / max(1, extent.end - first)))


def describe(ms: int | None) -> str:
    """Return a log time as text, in UTC."""
    if not ms:
        return "the beginning"
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
