"""Peaks: the most visitors that a site had online at once on each day.

A peak that was reset is recounted from raw hits, without those that corrections take back: the
most visitors within five minutes, to the minute.
"""

from collections.abc import Collection
from typing import NamedTuple

from services.model.calendar import to_date
from services.store.counts import corrections
from services.store.interface import Store

Peak = tuple[str, int, int, int]
"""Site, day in days since 1970-01-01, visitors online, and when, in ms since 1970."""

_MINUTE_MS = 60_000
_ONLINE_MINUTES = 5

# On a site that counts views only, each view is somebody; readers who ask not to be tracked have
# a decision about their visit, and do not count.
_RECOUNT = """
SELECT toUInt64(max(online)), argMax(minute, online)
FROM (
    SELECT minute, uniqExact(visitor, view, part) AS online
    FROM (
        SELECT visitor, if(visitor = 0, position, 0) AS view, if(visitor = 0, idx, 0) AS part,
            intDiv(at, %(minute_ms)s) + arrayJoin(range(%(minutes)s)) AS minute
        FROM hits
        WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND bot = 0
            AND (visitor != 0 OR visit = 0) {left}
    )
    GROUP BY minute
)
"""


class PeakReset(NamedTuple):
    """Whether the peak of a day is recounted.

    version   the highest for a day counts; the time in ms is a good one
    is_reset  0 if the measured peak counts again
    """

    day: int
    version: int
    is_reset: int
    author: str
    reason: str


async def reset(store: Store, site: str, change: PeakReset) -> None:
    """Write that a peak was reset, or restored. Raises StoreError."""
    columns: dict[str, list[object]] = {name: [value] for name, value in change._asdict().items()}
    await store.insert("peak_resets", {"site": [site], **columns})


async def recount(store: Store, site: str, day: int) -> tuple[int, int] | None:
    """Return the most visitors at once by the raw hits of a day, and when, in ms since 1970.

    None if no hits are left. Raises StoreError.
    """
    parameters = {
        "site": site,
        "first": to_date(day),
        "last": to_date(day),
        "minutes": _ONLINE_MINUTES,
        "minute_ms": _MINUTE_MS,
    }
    statement = _RECOUNT.format(left=await corrections.left(store, parameters))
    ((online, minute),) = await store.execute(statement, parameters)
    return (online, minute * _MINUTE_MS) if online else None


async def write(store: Store, peaks: Collection[Peak]) -> None:
    """Write peaks; the highest for a site and day wins."""
    if not peaks:
        return
    site, day, online, at = zip(*peaks, strict=True)
    await store.insert("peaks", {"site": site, "day": day, "online": online, "at": at})


async def load(store: Store, sites: Collection[str], day: int) -> list[Peak]:
    """Return the peaks of a day by site, for the sites that have one."""
    if not sites:
        return []
    rows = await store.execute(
        """
        SELECT site, max(online), argMax(at, online)
        FROM peaks
        WHERE site IN %(sites)s AND day = %(day)s
        GROUP BY site
        ORDER BY site
        """,
        {"sites": sorted(sites), "day": to_date(day)},
    )
    return [(site, day, online, at) for site, online, at in rows]
