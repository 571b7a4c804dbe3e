"""The cached numbers of sites and pages, and how long what was made of them is valid."""

from collections.abc import Callable, Sequence
from math import inf

from services.api.counter.body import OnlineNow, SiteNumbers
from services.api.counter.cache import BYTES_A_VALUE, StaleIfErrorCache
from services.api.counter.causes import Causes
from services.api.counter.changes import Changes
from services.api.counter.merged import Merged
from services.api.counter.online import FRESH_SECONDS
from services.api.counter.pages import PageKey, PageReader
from services.api.counter.reader import CounterKey, CounterReader
from services.api.counter.reading import PageReading
from services.api.counter.response_cache import Inputs
from services.model.site import Metric, Site
from services.runtime.bounded import size_of

PAGE_BYTES = 12 << 20
"""The limit for all remembered pages: some 20,000 with ordinary names."""
PATHS_PAUSE_SECONDS = 0.05
"""Pages are read twenty times a second at most, however many are made up."""
GRACE_SECONDS = 0.5
"""How much longer numbers are fresh while being refreshed: nobody waits for a busy store."""
SITES_A_READING = 100
PATHS_A_READING = 500
PATHS_WAITING = 10 * PATHS_A_READING
"""Half a second of readings: more than all readers of new pages ask for, less than a flood."""


class CounterValues:
    """Both caches of values: `numbers` of sites, and `pages` of any site."""

    def __init__(
        self,
        reader: CounterReader,
        page_reader: PageReader,
        merged: Merged,
        changes: Changes,
        monotonic: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._page_reader = page_reader
        self._merged = merged
        self._changes = changes
        self._causes = Causes(changes)
        self._monotonic = monotonic
        self.numbers: StaleIfErrorCache[CounterKey, SiteNumbers] = StaleIfErrorCache(
            self._read_numbers,
            fallback=self._recall_numbers,
            grace=GRACE_SECONDS,
            batch=SITES_A_READING,
            # Visitors are read from another table, which may take longer.
            group=lambda counter: counter[1] is Metric.VISITORS,
            expiry=changes.expiry,
            clock=monotonic,
        )
        # Pages are read one batch at a time, however many are requested, or made up.
        self.pages: StaleIfErrorCache[PageKey, PageReading] = StaleIfErrorCache(
            self._read_pages,
            fallback=self._recall_pages,
            grace=GRACE_SECONDS,
            max_bytes=PAGE_BYTES,
            size=lambda page, _: BYTES_A_VALUE + size_of(page[1]),
            worth=lambda page: page.is_counted,
            waiting=PATHS_WAITING,
            batch=PATHS_A_READING,
            pause=PATHS_PAUSE_SECONDS,
            expiry=changes.expiry,
            clock=monotonic,
        )

    async def close(self) -> None:
        """Abandon the reads under way."""
        await self.numbers.close()
        await self.pages.close()

    def inputs(
        self, site: Site, numbers: SiteNumbers, pages: tuple[PageKey, ...], online: OnlineNow
    ) -> Inputs | None:
        """Return what a response is made of; None if any of it is no longer fresh."""
        counter, now = (site.kept_as, numbers.metric), self._monotonic()
        if self.numbers.fresh(counter) is not numbers:
            return None  # expired or refreshed while the pages were read
        changes = self._changes.of(site.kept_as)
        inputs = Inputs(site, counter, pages, now, -inf, now, changes, online)
        times = self._times(inputs)
        if times is None:
            return None
        _, until = self._reader.online_known(self._merged.online_of(site))
        # While Redis is down, it is asked again after a second.
        until = until if online.is_current else now + FRESH_SECONDS
        began = min(began for began, _ in times)
        return inputs._replace(expires_at=min(until, self._expires_at(inputs)), began=began)

    def renewed(self, inputs: Inputs) -> float:
        """Return until when the same response would be made again; -inf if it would not."""
        times = self._times(inputs)
        if times is None or any(loaded_at >= inputs.made_at for _, loaded_at in times):
            return -inf
        online, until = self._reader.online_known(self._merged.online_of(inputs.site))
        if online is None or online != inputs.online:
            return -inf
        return min(until, self._expires_at(inputs))

    def is_refreshing(self, inputs: Inputs) -> bool:
        """Tell whether all that a response is made of is being read in the background."""
        return self.numbers.is_refreshing(inputs.counter) and all(
            map(self.pages.is_refreshing, inputs.pages)
        )

    def _expires_at(self, inputs: Inputs) -> float:
        pages = map(self.pages.expires_at, inputs.pages)
        return min(self.numbers.expires_at(inputs.counter), *pages, inf)

    def _times(self, inputs: Inputs) -> list[tuple[float, float]] | None:
        """Return when each value's read began and ended; None if one is not cached."""
        loaded = [self.numbers.loaded(inputs.counter), *map(self.pages.loaded, inputs.pages)]
        times = [(one.began, one.loaded_at) for one in loaded if one is not None]
        return times if len(times) == len(loaded) else None

    async def _read_numbers(self, counters: Sequence[CounterKey]) -> dict[CounterKey, SiteNumbers]:
        self._changes.expect(name for name, _ in counters)
        by_net = self._causes.count(self.numbers, counters)
        numbers = await self._merged.numbers(counters, self._reader.read)
        self._causes.compare(by_net, numbers)
        return numbers

    async def _recall_numbers(
        self, counters: Sequence[CounterKey]
    ) -> dict[CounterKey, SiteNumbers]:
        return await self._merged.numbers(counters, self._reader.recall)

    async def _read_pages(self, pages: Sequence[PageKey]) -> dict[PageKey, PageReading]:
        self._changes.expect(name for name, _ in pages)
        by_net = self._causes.count(self.pages, pages)
        readings = await self._merged.pages(pages, self._page_reader.read)
        self._causes.compare(by_net, readings)
        return readings

    async def _recall_pages(self, pages: Sequence[PageKey]) -> dict[PageKey, PageReading]:
        return await self._merged.pages(pages, self._page_reader.recall)
