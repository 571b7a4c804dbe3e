"""The distinct paths of a site's day, as 8-byte digests, across all ingest processes."""

from collections.abc import Collection, Sequence
from typing import Any, cast

from services.model.calendar import to_date
from services.state import keys
from services.state.errors import translated
from services.state.state import State

EXPIRY_SECONDS = 48 * 3600

SiteDay = tuple[str, int]
"""Slug, and day of the site's calendar since 1970."""


class DailyPaths:
    """A set per site and day; expires EXPIRY_SECONDS after the last path. Raises StateError."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def members(self, site: str, day: int) -> set[bytes]:
        """Return the digests of a day."""
        with translated():
            return set(await _members(self._redis.smembers(_key(site, day))))

    async def add(self, new: Sequence[tuple[SiteDay, Collection[bytes]]]) -> list[int]:
        """Add digests to days in one round trip; return how many each day has by now."""
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for (site, day), digests in new:
                    key = _key(site, day)
                    pipeline.sadd(key, *digests)
                    pipeline.expire(key, EXPIRY_SECONDS)
                    pipeline.scard(key)
                return cast("list[int]", (await pipeline.execute())[2::3])


def _key(site: str, day: int) -> str:
    return keys.paths(site, to_date(day).isoformat())


async def _members(answer: Any) -> set[bytes]:
    return cast("set[bytes]", await answer)
