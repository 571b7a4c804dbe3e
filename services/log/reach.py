"""How far back the log reaches: a backup that is older cannot be brought up to date from it."""

from collections.abc import Sequence

from services.log.interface import Extent, Log


async def reach_seconds(log: Log, extents: Sequence[Extent], now_ms: int) -> float | None:
    """Return the age of the oldest entry that every partition still has; None without entries.

    A partition that was never trimmed reaches back to its beginning, and limits nothing.
    """
    begins = {
        extent: await log.positions.time_of(extent.partition, extent.first)
        for extent in extents
        if extent.first is not None
    }
    trimmed = [ms for extent, ms in begins.items() if extent.trimmed]
    oldest = max(trimmed) if trimmed else min(begins.values(), default=None)
    return None if oldest is None else max(0, now_ms - oldest) / 1000
