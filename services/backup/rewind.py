"""Sends the aggregator back in the log, to fold again what it folded before.

Rows skip the batches that they hold, so on a healthy store nothing changes, and on one that was
restored the counters come to where they would be.
"""

from collections.abc import Sequence

import msgspec

from services.backup.folder import BackupError
from services.log.reach import Reach
from services.model import position
from services.model.hit import VISIT_WINDOW_MS

WARM_UP_MS = 2 * (VISIT_WINDOW_MS + 60_000)
"""Log time that the aggregator reads before it folds, to know who is in the middle of a visit."""


class Step(msgspec.Struct, frozen=True):
    """What happens to one partition.

    to       the next position to read; None for the very beginning
    exact    whether everything that visits depend on is still in the log
    missing  whether entries between `to` and the beginning of the log may be gone
    """

    partition: int
    committed: int | None
    to: int | None
    exact: bool
    missing: bool
    entries: int


def plan(log: Sequence[Reach], to: int | None = None) -> list[Step]:
    """Return how to go back to a position, or as far as the log tells everything exactly.

    Raises BackupError for a position that is not read yet in a partition with entries: going on
    from there would leave hits out.
    """
    return [_step(part, to) for part in log]


def going_on(part: Reach) -> Step:
    """Return what follows from the position that is committed now, as after a restore."""
    at = part.committed or 0
    missing = part.first is not None and part.trimmed and at < part.first
    exact = part.first is None or at >= earliest_exact(part)
    entries = 0 if at >= part.end else _share(part, at)
    return Step(part.partition, part.committed, part.committed, exact, missing, entries)


def _step(part: Reach, to: int | None) -> Step:
    earliest = earliest_exact(part)
    if part.first is None or part.committed is None:
        return Step(part.partition, part.committed, part.committed, True, False, 0)
    target = min(earliest, part.committed) if to is None else to
    if target > part.committed and part.end > part.committed:
        raise BackupError(
            f"partition {part.partition} is read up to {describe(part.committed)}; to go on from"
            f" {describe(target)} would leave hits out: choose an earlier time"
        )
    target = min(target, part.committed)
    missing = part.trimmed and target < part.first
    entries = 0 if target >= part.end else _share(part, target)
    return Step(part.partition, part.committed, target, target >= earliest, missing, entries)


def earliest_exact(part: Reach) -> int:
    """Return the earliest position from which visits can be decided as they were.

    What stands before it in the log tells who was in the middle of a visit.
    """
    if part.first is None or not part.trimmed:
        return 0
    return part.first + (WARM_UP_MS << position.SEQUENCE_BITS)


def _share(part: Reach, target: int) -> int:
    first = part.first or 0
    if target <= first:
        return part.entries
    return max(1, round(part.entries * (part.end - target) / max(1, part.end - first)))


def describe(at: int | None) -> str:
    """Return a position for people: its time, in UTC."""
    if not at:
        return "the beginning"
    from datetime import UTC, datetime

    return datetime.fromtimestamp(position.time_ms(at) / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
