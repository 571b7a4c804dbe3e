"""Recent hits with something noteworthy about them, by site: for doctor and the API."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from services.state import keys
from services.state.errors import translated
from services.state.state import State

WINDOW_MS = 10 * 60 * 1000
"""The length of the windows in which they are counted; the last two are reported."""
_EXPIRE_SECONDS = 3 * WINDOW_MS // 1000


class RecentHits:
    """How many such hits each site had lately. All calls raise StateError."""

    def __init__(self, state: State, key: Callable[[int], str]) -> None:
        """`key` names the hash of a window."""
        self._redis = state.redis
        self._key = key

    async def add(self, hits: Mapping[str, int], at_ms: int) -> None:
        """Add hits of sites, by slug."""
        key = self._key(at_ms // WINDOW_MS)
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for slug, number in hits.items():
                    pipeline.hincrby(key, slug, number)
                pipeline.expire(key, _EXPIRE_SECONDS)
                await pipeline.execute()

    async def read(self, at_ms: int) -> dict[str, int]:
        """Return the hits of the last 10 to 20 minutes by slug; sites without any are left out."""
        window = at_ms // WINDOW_MS
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for number in (window - 1, window):
                    pipeline.hgetall(self._key(number))
                answers = cast("list[dict[bytes, bytes]]", await pipeline.execute())
        hits: dict[str, int] = {}
        for answer in answers:
            for slug, count in answer.items():
                name = slug.decode(errors="replace")
                hits[name] = hits.get(name, 0) + int(count)
        return hits

    async def read_site(self, slug: str, at_ms: int) -> int:
        """Return the hits of one site."""
        window = at_ms // WINDOW_MS
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for number in (window - 1, window):
                    pipeline.hget(self._key(number), slug)
                answers: list[Any] = await pipeline.execute()
        return sum(int(count) for count in answers if count)


class UntrustedForwards(RecentHits):
    """Hits that came through proxies that ingest does not trust."""

    def __init__(self, state: State) -> None:
        super().__init__(state, keys.untrusted)


class HitsOfForeignHosts(RecentHits):
    """Hits that name a site but come from a page on a host that is not the site's: refused."""

    def __init__(self, state: State) -> None:
        super().__init__(state, keys.foreign_hosts)


class HitsOverBudget(RecentHits):
    """Hits from addresses over their budget: refused, or views without a visit."""

    def __init__(self, state: State) -> None:
        super().__init__(state, keys.over_budget)


class HitsOverRoom(RecentHits):
    """Hits that were refused, because their site took most of a log that is nearly full."""

    def __init__(self, state: State) -> None:
        super().__init__(state, keys.over_room)
