"""How many visitors are online: published by the aggregator, read by the API."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from services.state import keys
from services.state.errors import translated
from services.state.state import State

_READ_SECONDS = 1.0


class OnlineCount(NamedTuple):
    """The visitors of a site, and when they were counted (ms since 1970)."""

    visitors: int
    at_ms: int


class OnlineCounts:
    """The last count of each site. All calls raise StateError."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def publish(self, visitors: Mapping[str, int], at_ms: int) -> None:
        """Write the counts of sites, at least one; those of other sites stay."""
        values: Any = {slug: f"{count}:{at_ms}" for slug, count in visitors.items()}
        with translated():
            await _done(self._redis.hset(keys.ONLINE, mapping=values))

    async def read(self, slugs: Sequence[str]) -> dict[str, OnlineCount]:
        """Return the counts of sites; a site that was never counted is left out. Takes 1 s at most.

        Whether a count is too old to be believed is for the caller to say.
        """
        with translated():
            async with asyncio.timeout(_READ_SECONDS):
                texts = await _done(self._redis.hmget(keys.ONLINE, list(slugs)))
        counts = zip(slugs, map(_count, texts), strict=True)
        return {slug: count for slug, count in counts if count is not None}


def _count(body: bytes | str | None) -> OnlineCount | None:
    text = body.decode() if isinstance(body, bytes) else body or ""
    visitors, _, at_ms = text.partition(":")
    if not (visitors.isdecimal() and at_ms.isdecimal()):
        return None
    return OnlineCount(int(visitors), int(at_ms))


async def _done(answer: Any) -> Any:
    return await answer
