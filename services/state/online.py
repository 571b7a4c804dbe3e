"""How many visitors and bots are online: published by the aggregator, read by the API."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from services.state import keys
from services.state.errors import translated
from services.state.state import State, reply

_READ_SECONDS = 1.0


def bots_of(slug: str) -> str:
    """Return the name that a site's bots are counted under; it can never be a slug."""
    return slug + "#bots"


class OnlineCount(NamedTuple):
    """The visitors or bots of a site, and when they were counted (ms since 1970)."""

    number: int
    at_ms: int


class OnlineCounts:
    """The last count of each site. All calls raise StateError."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def publish(self, counts: Mapping[str, int], at_ms: int) -> None:
        """Write counts by name, at least one; those of other names stay.

        The name is the slug for visitors, `bots_of` it for bots.
        """
        values: Any = {name: f"{count}:{at_ms}" for name, count in counts.items()}
        with translated():
            await reply(self._redis.hset(keys.ONLINE, mapping=values))

    async def read(self, names: Sequence[str]) -> dict[str, OnlineCount]:
        """Return counts by name; what was never counted is left out. Takes 1 s at most.

        The caller decides whether a count is too old to be believed.
        """
        with translated():
            async with asyncio.timeout(_READ_SECONDS):
                texts = await reply(self._redis.hmget(keys.ONLINE, list(names)))
        counts = zip(names, map(_count, texts), strict=True)
        return {name: count for name, count in counts if count is not None}


def _count(body: bytes | str | None) -> OnlineCount | None:
    text = body.decode() if isinstance(body, bytes) else body or ""
    number, _, at_ms = text.partition(":")
    if not (number.isdecimal() and at_ms.isdecimal()):
        return None
    return OnlineCount(int(number), int(at_ms))
