"""What a store holds after years: the counters of many sites, day by day."""

import time
from collections.abc import Iterator
from zlib import crc32

import msgspec

from benchmarks import portals
from services.log.redis import entry_ids
from services.model.calendar import Grain, local_day, period_start
from services.model.partition import DEFAULT_PARTITIONS
from services.model.site import DEFAULT_TIMEZONE, Site
from services.store.counts import counters
from services.store.counts.counters import CounterKey, CounterRow
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store

ROWS_AT_ONCE = 200_000
_WRITTEN_MS = 1_790_000_000_000


class History(msgspec.Struct, frozen=True, kw_only=True):
    """How many sites, for how long; each has its days, and the pages of today."""

    sites: int
    days: int
    pages: int = 50

    async def write(self, url: str) -> None:
        """Write it into an empty store."""
        store = open_store(url)
        try:
            await store.prepare()
            await migrate(store)
            await fix_partitions(store, DEFAULT_PARTITIONS)
            known = portals.sites(self.sites)
            bodies = [msgspec.json.encode(site).decode() for site in known]
            await store.insert(
                "sites",
                {
                    "slug": [site.slug for site in known],
                    "version": [1] * len(known),
                    "deleted": [0] * len(known),
                    "body": bodies,
                },
            )
            rows: dict[CounterKey, CounterRow] = {}
            for site in known:
                rows |= self._rows(site)
                if len(rows) >= ROWS_AT_ONCE:
                    await counters.write(store, rows)
                    rows = {}
            await counters.write(store, rows)
        finally:
            await store.close()

    def _rows(self, site: Site) -> dict[CounterKey, CounterRow]:
        rows = {}
        for key in self._keys(site.slug):
            # Numbers as different as real ones are, and the same in every run.
            views = 1 + crc32(repr(key).encode()) % 5_000
            rows[key] = (views, views * 2 // 5, entry_ids.encode(_WRITTEN_MS + views * 997, 0))
        return rows

    def _keys(self, slug: str) -> Iterator[CounterKey]:
        today = local_day(int(time.time() * 1000), DEFAULT_TIMEZONE)
        for day in range(today - self.days, today + 1):
            for grain in Grain:
                yield slug, grain.value, period_start(day, grain), ""
        for page in range(self.pages):
            for grain in Grain:
                path = f"/tin-tuc/{slug}-bai-viet-so-{page}.html"
                yield slug, grain.value, period_start(today, grain), path
