"""Publishes which paths have counters, for ingest: a page with a history always counts as itself.

Each aggregator publishes the sites of the partitions that it owns, soon after taking them and then
hourly, and republishes what shared state has lost. Ingest itself knows the new pages of today and
yesterday, so an hour is soon enough.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from services.model.partition import partition_of
from services.model.path_digest import DIGEST_BYTES
from services.runtime.outage import Outage
from services.state import path_history
from services.state.errors import StateError
from services.state.path_history import MOST_A_SITE, MOST_BYTES, PathHistories
from services.state.state import State
from services.store.counts import page_digests
from services.store.interface import Limits, Store, StoreError

LOOK_SECONDS = 5.0
"""How often what is owned is compared with what is published."""
FAULT_SECONDS = 30.0
"""Delay before a retry after a failure."""
PUBLISH_SECONDS = 3600.0
_ROUNDS = int(PUBLISH_SECONDS / LOOK_SECONDS)
_ANSWER_SECONDS = 5.0
# Page counts are estimates: the rest is a margin for that.
_MOST_PATHS = MOST_BYTES // DIGEST_BYTES * 7 // 8
_LIMITS = Limits(calls=1, threads=1, seconds=30, bytes=400_000_000)

log = logging.getLogger(__name__)


class HistoryPublisher:
    """Publishes the histories of sites; remembers only for which partitions."""

    def __init__(self, store: Store, redis_url: str, partitions: int) -> None:
        self._store = store.limited(_LIMITS)
        self._state = State.open(redis_url, seconds=_ANSWER_SECONDS)
        self._shared = PathHistories(self._state)
        self._partitions = partitions
        self._published: set[int] = set()
        self._last: tuple[str, bytes] | None = None

    async def publish_forever(self, owned: Callable[[], Collection[int]]) -> None:
        """Publish for what is owned; a failure is logged and retried."""
        rounds = 0
        outage = Outage(
            log,
            "cannot publish which paths have counters",
            "the paths that have counters are published",
        )
        while True:
            try:
                await self._look(set(owned()), everything=rounds % _ROUNDS == 0)
            except (StoreError, StateError) as error:
                outage.begins(error)
                await asyncio.sleep(FAULT_SECONDS)
            else:
                outage.ends()
                rounds += 1
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, owned: set[int], *, everything: bool) -> None:
        self._published &= owned
        # Shared state loses all of it, or nothing.
        is_lost = self._last is not None and not await self._shared.has(*self._last)
        due = owned if everything or is_lost else owned - self._published
        if due:
            await self.publish(due)
            self._published |= due

    async def publish(self, partitions: Collection[int]) -> list[str]:
        """Publish the histories of the sites of partitions; return the sites.

        Raises StoreError or StateError.
        """
        pages = await page_digests.page_counts(self._store)
        most = _most_of_one(pages)
        sites = [site for site in pages if partition_of(site, self._partitions) in partitions]
        for site in sites:
            digests = await page_digests.most_viewed(self._store, site, most)
            published = path_history.encode(digests)
            self._last = (site, path_history.version_of(published))
            if not await self._shared.has(*self._last):
                await self._shared.publish(site, published)
        return sites

    async def close(self) -> None:
        """Close the connections."""
        await self._store.close()
        await self._state.close()


def _most_of_one(pages: Mapping[str, int]) -> int:
    """Return how many pages each site may have, so that all of them fit."""
    left, sites = _MOST_PATHS, len(pages)
    for number in sorted(pages.values()):
        if min(number, MOST_A_SITE) * sites > left:
            return max(1, left // sites)
        left -= min(number, MOST_A_SITE)
        sites -= 1
    return MOST_A_SITE
