"""The paths that were new on a site's day, as 8-byte digests, across all ingest processes.

A string that only grows, 8 bytes a path: each process appends what it opens, and reads what others
appended since. Two processes may append the same path.
"""

from collections.abc import Mapping
from typing import NamedTuple

from services.model.calendar import to_date
from services.state import keys
from services.state.errors import translated
from services.state.state import State

EXPIRY_SECONDS = 72 * 3600
"""A day's new paths are still known on the next day, wherever on Earth the site is."""

SiteDay = tuple[str, int]
"""Slug, and day in the site's calendar, counted from 1970."""


class Appended(NamedTuple):
    """What a process has to append to a day, and up to which byte it has read that day."""

    digests: bytes
    read: int


class DayTail(NamedTuple):
    """The length of a day in bytes now, and what follows the byte read up to."""

    length: int
    tail: bytes


class DailyPaths:
    """A string per site and day; expires EXPIRY_SECONDS after the last path. Raises StateError."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def exchange(self, days: Mapping[SiteDay, Appended]) -> dict[SiteDay, DayTail]:
        """Append to days, and read what is new in them, in one round trip.

        A length below what was read before means that the server has lost the day. What was
        appended may be stored even if this raises.
        """
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for (site, day), (digests, read) in days.items():
                    key = keys.opened_paths(site, to_date(day).isoformat())
                    if digests:
                        pipeline.append(key, digests)
                        pipeline.expire(key, EXPIRY_SECONDS)
                    pipeline.strlen(key)
                    pipeline.getrange(key, read, -1)
                answers = iter(await pipeline.execute())
        tails: dict[SiteDay, DayTail] = {}
        for site_day, (digests, _) in days.items():
            if digests:
                next(answers), next(answers)
            tails[site_day] = DayTail(next(answers), next(answers))
        return tails
