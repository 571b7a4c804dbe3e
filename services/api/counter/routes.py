"""The public counter: the numbers of a site, for anybody."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

from services.api.counter import parameters
from services.api.counter.body import SiteNumbers, TaggedBody
from services.api.counter.cache import (
    BYTES_A_VALUE,
    Cached,
    NothingCachedError,
    StaleIfErrorCache,
    TooManyWaitingError,
)
from services.api.counter.merged import Merged
from services.api.counter.pages import PageKey, PageReader
from services.api.counter.reader import CounterKey, CounterReader
from services.api.counter.reading import PageReading, Reading
from services.api.counter.response_cache import Inputs, ResponseCache
from services.api.metrics import FRESH, NONE, READ, STALE, STALE_ANSWERS
from services.api.sites.registry import Registry
from services.http.errors import unavailable, unknown_site
from services.model.downloads import downloads_of
from services.model.site import Metric, Site
from services.runtime.bounded import size_of
from services.state.state import State
from services.store.interface import Store

PATH = "/api/counter/{site}"
PAGE_BYTES = 12 << 20
"""Of all pages that are remembered: some 20,000 with ordinary names."""
PATHS_PAUSE_SECONDS = 0.05
"""Pages are read twenty times a second at most, however many are invented."""
REFRESH_SECONDS = 0.2
EXPIRING_SECONDS = 0.3
POPULAR_SECONDS = 5.0
"""How long numbers that were requested twice within this time are refreshed ahead of expiry."""
GRACE_SECONDS = 0.5
"""How much longer numbers are fresh while being refreshed: nobody waits for a busy store."""
SITES_A_READING = 100
PATHS_A_READING = 500
PATHS_WAITING = 10 * PATHS_A_READING
"""Half a second of readings: more than all readers of new pages ask for, less than a flood."""

HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "public, max-age=1, stale-while-revalidate=30",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}

_NONE: Mapping[str, str] = MappingProxyType({})
_NO_PAGES = Cached[dict[PageKey, PageReading]]({}, stale=False)


class Counters:
    """Answers `GET /api/counter/{site}` from the cache, and reads what is not in it."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        state: State,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._reader = CounterReader(store, state, clock, monotonic)
        self._page_reader = PageReader(store, state, clock)
        self._merged = Merged(registry)
        self._numbers = StaleIfErrorCache(
            self._read_numbers,
            fallback=self._recall_numbers,
            grace=GRACE_SECONDS,
            batch=SITES_A_READING,
            # Visitors are read from another table, which may take longer.
            group=lambda counter: counter[1] is Metric.VISITORS,
            clock=monotonic,
        )
        # Pages are read one batch at a time, however many are requested, or invented.
        self._pages = StaleIfErrorCache(
            self._read_pages,
            fallback=self._recall_pages,
            grace=GRACE_SECONDS,
            max_bytes=PAGE_BYTES,
            size=lambda page, _: BYTES_A_VALUE + size_of(page[1]),
            worth=lambda page: page.is_counted,
            waiting=PATHS_WAITING,
            batch=PATHS_A_READING,
            pause=PATHS_PAUSE_SECONDS,
            clock=monotonic,
        )
        self.responses = ResponseCache(
            registry.get, monotonic, grace=GRACE_SECONDS, refreshing=self._is_refreshing
        )
        self._monotonic = monotonic
        self._requested_at: dict[CounterKey, float] = {}
        self._requested_again_at: dict[CounterKey, float] = {}

    async def close(self) -> None:
        """Abandon the reads under way."""
        await self._numbers.close()
        await self._pages.close()
        await self._reader.close()

    async def keep_fresh(self) -> None:
        """Refresh popular numbers for as long as this runs."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            self.refresh()

    def refresh(self) -> None:
        """Refresh popular numbers ahead of expiry."""
        since = self._monotonic() - POPULAR_SECONDS
        self._requested_at = _later(self._requested_at, since)
        expiring = list(self.responses.expiring(EXPIRING_SECONDS))
        for inputs in expiring:
            self._note(inputs.counter)
        self._requested_again_at = _later(self._requested_again_at, since)
        self._numbers.refresh(self._requested_again_at)
        # A page must be requested twice: pages can be invented.
        self._pages.refresh(page for inputs in expiring for page in inputs.pages)

    async def respond(self, request: Request) -> Response:
        """Return the numbers of a site, and the views of the pages in the query."""
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=PREFLIGHT)
        site = self.site(request.path_params["site"])
        asked = parameters.parse(request.scope["query_string"], site)
        answer, inputs = await self.answer(site, *asked)
        return self.responses.respond(
            request, answer.body, answer.etag, HEADERS, "application/json", inputs
        )

    async def answer(
        self,
        site: Site,
        metric: Metric,
        paths: Mapping[str, str],
        files: Mapping[str, str] = _NONE,
    ) -> tuple[TaggedBody, Inputs | None]:
        """Return the numbers of a site with the views of pages, and the downloads of files.

        Both are given as path as given → as counted.

        The second value is what they were made of, None unless all of it is fresh.
        Raises ApiError when the store cannot be read and no earlier numbers are known.
        """
        try:
            numbers, stale = await self._cached_numbers(site, metric)
        except NothingCachedError:
            NONE.inc()
            raise unavailable("the store cannot be read, and nothing was read before") from None
        views = {given: (site.kept_as, site.page_of(path)) for given, path in paths.items()}
        kept_as = downloads_of(site.kept_as)
        downloads = {given: (kept_as, path) for given, path in files.items()}
        keys = (*views.values(), *downloads.values())
        pages = await self._cached_pages(keys) if keys else _NO_PAGES
        shown = numbers.as_set(site)
        answer = shown.current
        if stale or pages.stale:
            STALE_ANSWERS.inc()
            answer = await self._last_good(shown, pages)
        today = self._reader.today(site) if pages.stale else None
        for field, asked in (("paths", views), ("downloads", downloads)):
            if asked:
                answer = answer.with_more(
                    field,
                    {
                        given: page.numbers(page.day if today is None else today, field)
                        for given, key in asked.items()
                        if (page := pages.value.get(key)) is not None
                    },
                )
        return answer, None if stale or pages.stale else self._inputs(site, numbers, keys)

    async def read_all_now(self, site: Site, paths: Sequence[str]) -> None:
        """Read as `read_now` does, and days of long ago again, too. Raises StoreError."""
        self._reader.forget(site)
        await self.read_now(site, paths)

    async def read_now(
        self, site: Site, paths: Sequence[str]
    ) -> tuple[dict[Metric, Reading], dict[str, PageReading]]:
        """Read a site in each of its measures, and pages, past the caches. Raises StoreError.

        What was read is kept as what was shown last, also where nobody asks for it.
        """
        measures = dict.fromkeys(map(site.measure, Metric))
        sites = {site.kept_as: site}
        numbers = await self._reader.read(sites, [(site.kept_as, metric) for metric in measures])
        keys = [(site.kept_as, path) for path in paths]
        pages = await self._page_reader.read(sites, keys) if keys else {}
        return (
            {metric: one.reading for (_, metric), one in numbers.items()},
            {path: page for (_, path), page in pages.items()},
        )

    async def views_of(self, sites: Iterable[Site]) -> dict[str, dict[str, int]]:
        """Return the views of many sites, by slug and period, past the caches. Raises StoreError.

        What was read is not kept as shown: nobody sees it on a page.
        """
        return await self._reader.views({site.kept_as: site for site in sites})

    def _inputs(
        self, site: Site, numbers: SiteNumbers, pages: tuple[PageKey, ...]
    ) -> Inputs | None:
        counter = (site.kept_as, numbers.metric)
        if self._numbers.fresh(counter) is not numbers:
            return None  # expired or refreshed while the pages were read
        times = [self._numbers.expires_at(counter), *map(self._pages.expires_at, pages)]
        return Inputs(site, counter, pages, min(times))

    def _is_refreshing(self, inputs: Inputs) -> bool:
        return self._numbers.is_refreshing(inputs.counter) and all(
            map(self._pages.is_refreshing, inputs.pages)
        )

    async def _last_good(
        self, numbers: SiteNumbers, pages: Cached[dict[PageKey, PageReading]]
    ) -> TaggedBody:
        """Return the last good numbers as of today; their time is that of the oldest part."""
        today = self._reader.today(numbers.site)
        online = await self._reader.online(self._merged.online_of(numbers.site))
        readings = (numbers.reading, *(pages.value.values() if pages.stale else ()))
        return numbers.stale(today, online, min(reading.as_of for reading in readings))

    def site(self, slug: str) -> Site:
        """Return the site of a slug or a host; ApiError when there is none of that name."""
        site = self._registry.named(slug)
        if site is None:
            if not self._registry.loaded:
                raise unavailable("the store cannot be read yet")
            raise unknown_site(slug)
        return site

    def _note(self, counter: CounterKey) -> None:
        now = self._monotonic()
        if counter in self._requested_at:
            self._requested_again_at[counter] = now
        self._requested_at[counter] = now

    async def _cached_numbers(self, site: Site, metric: Metric) -> Cached[SiteNumbers]:
        self._note((site.kept_as, metric))
        fresh = self._numbers.fresh((site.kept_as, metric))
        if fresh is not None:
            FRESH.inc()
            return Cached(fresh, stale=False)
        cached = await self._numbers.get((site.kept_as, metric))
        (STALE if cached.stale else READ).inc()
        return cached

    async def _cached_pages(self, keys: Sequence[PageKey]) -> Cached[dict[PageKey, PageReading]]:
        """Return the requested pages; those of which nothing is known are left out."""
        try:
            cached = await self._pages.get_many(keys)
        except TooManyWaitingError:
            raise unavailable("too many pages are asked for at once; try again later") from None
        stale = any(key not in cached or cached[key].stale for key in keys)
        return Cached({key: page.value for key, page in cached.items()}, stale=stale)

    async def _read_numbers(self, counters: Sequence[CounterKey]) -> dict[CounterKey, SiteNumbers]:
        return await self._merged.numbers(counters, self._reader.read)

    async def _recall_numbers(
        self, counters: Sequence[CounterKey]
    ) -> dict[CounterKey, SiteNumbers]:
        return await self._merged.numbers(counters, self._reader.recall)

    async def _read_pages(self, pages: Sequence[PageKey]) -> dict[PageKey, PageReading]:
        return await self._merged.pages(pages, self._page_reader.read)

    async def _recall_pages(self, pages: Sequence[PageKey]) -> dict[PageKey, PageReading]:
        return await self._merged.pages(pages, self._page_reader.recall)


def _later(times: dict[CounterKey, float], since: float) -> dict[CounterKey, float]:
    return {counter: at for counter, at in times.items() if at >= since}
