"""Peaks: the most visitors that a site had online at once, a day."""

from collections.abc import Collection

from services.model.calendar import to_date
from services.store.interface import Store

Peak = tuple[str, int, int, int]
"""Site, day in days since 1970-01-01, visitors online, and when, in ms since 1970."""


async def write(store: Store, peaks: Collection[Peak]) -> None:
    """Write peaks; the highest of a site's day stays."""
    if not peaks:
        return
    site, day, online, at = zip(*peaks, strict=True)
    await store.insert("peaks", {"site": site, "day": day, "online": online, "at": at})


async def load(store: Store, sites: Collection[str], day: int) -> list[Peak]:
    """Return the peaks of a day, of the sites that have one, by site."""
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
