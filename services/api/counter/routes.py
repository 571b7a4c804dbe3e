"""The public counter: the numbers of a site, for anybody."""

import asyncio
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from services.api.counter import parameters, paths
from services.api.counter.body import SiteNumbers, TaggedBody
from services.api.counter.cache import (
    BYTES_A_VALUE,
    Cached,
    NothingCachedError,
    StaleIfErrorCache,
    TooManyWaitingError,
)
from services.api.counter.pages import PageKey, PageReader
from services.api.counter.reader import CounterKey, CounterReader
from services.api.counter.reading import PageReading, Reading
from services.api.counter.response_cache import Inputs, ResponseCache
from services.api.metrics import COUNTER_CACHE, STALE_ANSWERS
from services.api.sites.registry import Registry
from services.http.errors import bad_request, unavailable, unknown_site
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

N = TypeVar("N", bound=str)

_FRESH = COUNTER_CACHE.labels("fresh")
_NO_PAGES = Cached[dict[str, PageReading]]({}, stale=False)


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
            fallback=self._page_reader.recall,
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
        metric, pages = _parse(request.scope["query_string"], site)
        answer, inputs = await self.answer(site, metric, pages)
        return self.responses.respond(
            request, answer.body, answer.etag, HEADERS, "application/json", inputs
        )

    async def answer(
        self, site: Site, metric: Metric, paths: dict[str, str]
    ) -> tuple[TaggedBody, Inputs | None]:
        """Return the numbers of a site with the views of pages: path as given → as counted.

        The second value is what they were made of, None unless all of it is fresh.
        Raises ApiError when the store cannot be read and no earlier numbers are known.
        """
        try:
            numbers, stale = await self._cached_numbers(site, metric)
        except NothingCachedError:
            COUNTER_CACHE.labels("none").inc()
            raise unavailable("the store cannot be read, and nothing was read before") from None
        pages = await self._cached_pages(site, paths) if paths else _NO_PAGES
        answer = numbers.current
        if stale or pages.stale:
            STALE_ANSWERS.inc()
            answer = await self._last_good(numbers, pages)
        if paths:
            today = self._reader.today(site) if pages.stale else None
            answer = answer.with_pages(
                {
                    path: page.numbers(page.day if today is None else today)
                    for path, page in pages.value.items()
                }
            )
        return answer, None if stale or pages.stale else self._inputs(site, numbers, paths)

    async def read_now(
        self, site: Site, paths: Sequence[str]
    ) -> tuple[dict[Metric, Reading], dict[str, PageReading]]:
        """Read a site in each of its measures, and pages, past the caches. Raises StoreError.

        What was read is kept as what was shown last, also where nobody asks for it.
        """
        measures = dict.fromkeys(map(site.measure, Metric))
        sites = {site.slug: site}
        numbers = await self._reader.read(sites, [(site.slug, metric) for metric in measures])
        keys = [(site.slug, path) for path in paths]
        pages = await self._page_reader.read(sites, keys) if keys else {}
        return (
            {metric: one.reading for (_, metric), one in numbers.items()},
            {path: page for (_, path), page in pages.items()},
        )

    def _inputs(self, site: Site, numbers: SiteNumbers, paths: dict[str, str]) -> Inputs | None:
        counter = (site.slug, numbers.metric)
        if self._numbers.fresh(counter) is not numbers:
            return None  # expired or refreshed while the pages were read
        pages = tuple((site.slug, path) for path in paths.values())
        times = [self._numbers.expires_at(counter), *map(self._pages.expires_at, pages)]
        return Inputs(site, counter, pages, min(times))

    def _is_refreshing(self, inputs: Inputs) -> bool:
        return self._numbers.is_refreshing(inputs.counter) and all(
            map(self._pages.is_refreshing, inputs.pages)
        )

    async def _last_good(
        self, numbers: SiteNumbers, pages: Cached[dict[str, PageReading]]
    ) -> TaggedBody:
        """Return the last good numbers as of today; their time is that of the oldest part."""
        today = self._reader.today(numbers.site)
        online = await self._reader.online(numbers.site)
        readings = (numbers.reading, *(pages.value.values() if pages.stale else ()))
        return numbers.stale(today, online, min(reading.as_of for reading in readings))

    def site(self, slug: str) -> Site:
        """Return a site; ApiError when there is none of that name."""
        site = self._registry.get(slug)
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
        self._note((site.slug, metric))
        fresh = self._numbers.fresh((site.slug, metric))
        if fresh is not None:
            _FRESH.inc()
            return Cached(fresh, stale=False)
        cached = await self._numbers.get((site.slug, metric))
        COUNTER_CACHE.labels("stale" if cached.stale else "read").inc()
        return cached

    async def _cached_pages(
        self, site: Site, paths: dict[str, str]
    ) -> Cached[dict[str, PageReading]]:
        """Return the requested pages; those of which nothing is known are left out."""
        try:
            cached = await self._pages.get_many([(site.slug, path) for path in paths.values()])
        except TooManyWaitingError:
            raise unavailable("too many pages are asked for at once; try again later") from None
        pages = {
            given: cached[site.slug, path].value
            for given, path in paths.items()
            if (site.slug, path) in cached
        }
        stale = len(pages) < len(paths) or any(page.stale for page in cached.values())
        return Cached(pages, stale=stale)

    async def _read_numbers(self, counters: Sequence[CounterKey]) -> dict[CounterKey, SiteNumbers]:
        sites, known = self._known(counters)
        return await self._reader.read(sites, known) if known else {}

    async def _recall_numbers(
        self, counters: Sequence[CounterKey]
    ) -> dict[CounterKey, SiteNumbers]:
        sites, known = self._known(counters)
        return await self._reader.recall(sites, known) if known else {}

    async def _read_pages(self, pages: Sequence[PageKey]) -> dict[PageKey, PageReading]:
        sites, known = self._known(pages)
        return await self._page_reader.read(sites, known) if known else {}

    def _known(self, keys: Sequence[tuple[str, N]]) -> tuple[dict[str, Site], list[tuple[str, N]]]:
        """Return the sites of keys, and the keys without those of sites removed meanwhile."""
        sites = {
            slug: site
            for slug in {slug for slug, _ in keys}
            if (site := self._registry.get(slug)) is not None
        }
        return sites, [key for key in keys if key[0] in sites]


def _later(times: dict[CounterKey, float], since: float) -> dict[CounterKey, float]:
    return {counter: at for counter, at in times.items() if at >= since}


def _parse(query: bytes, site: Site) -> tuple[Metric, dict[str, str]]:
    """Return the measure, and the paths of pages: as given → as counted."""
    if not query:
        return site.measure(), {}
    metric, pages = site.measure(), {}
    for name, value in parameters.fields(query):
        if name == "metric":
            metric = site.measure(parameters.metric(value))
        elif name == "path":
            pages[value] = paths.counted(value, site)
    if len(pages) > paths.MAX_PATHS:
        raise bad_request("path", f"{len(pages)} paths; expected at most {paths.MAX_PATHS}")
    return metric, pages
