"""The public counter: the numbers of a site, for anybody."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

from services.api.counter import parameters
from services.api.counter.body import SiteNumbers, TaggedBody
from services.api.counter.cache import (
    Cached,
    NothingCachedError,
    TooManyWaitingError,
)
from services.api.counter.changes import Changes
from services.api.counter.listener import ChangeListener
from services.api.counter.merged import Merged
from services.api.counter.pages import PageKey, PageReader
from services.api.counter.reader import CounterKey, CounterReader
from services.api.counter.reading import PageReading, Reading
from services.api.counter.response_cache import Inputs, ResponseCache
from services.api.counter.values import GRACE_SECONDS, CounterValues
from services.api.metrics import FRESH, NONE, READ, STALE, STALE_ANSWERS
from services.api.sites.registry import Registry
from services.http.errors import unavailable, unknown_site
from services.model.downloads import downloads_of
from services.model.site import Metric, Site
from services.state.state import State
from services.store.interface import Store, StoreUnavailableError

PATH = "/api/counter/{site}"
REFRESH_SECONDS = 0.2
REST_SECONDS = 0.05
"""The pause between two refreshes, however often something changes."""
EXPIRING_SECONDS = 0.3
POPULAR_SECONDS = 5.0
"""Numbers requested twice within this time are popular: refreshed before they expire."""

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
        changes: Changes | None = None,
    ) -> None:
        self._registry = registry
        self.changes = changes or Changes(registry, clock, monotonic)
        self.listener = ChangeListener(state, self.changes)
        self._reader = CounterReader(store, state, clock, monotonic)
        self._page_reader = PageReader(store, state, clock)
        self._merged = Merged(registry)
        self._values = CounterValues(
            self._reader, self._page_reader, self._merged, self.changes, monotonic
        )
        self._numbers, self._pages = self._values.numbers, self._values.pages
        self.responses = ResponseCache(
            registry.get,
            monotonic,
            grace=GRACE_SECONDS,
            refreshing=self._values.is_refreshing,
            renewed=self._values.renewed,
        )
        self._monotonic = monotonic
        self._requested_at: dict[CounterKey, float] = {}
        self._requested_again_at: dict[CounterKey, float] = {}

    async def close(self) -> None:
        """Abandon the reads under way."""
        await self._values.close()
        await self._reader.close()

    async def keep_fresh(self) -> None:
        """Refresh popular numbers for as long as this runs; those that changed, at once."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.listener.heard.wait(), REFRESH_SECONDS)
            self.listener.heard.clear()
            self.refresh()
            await asyncio.sleep(REST_SECONDS)

    def refresh(self) -> None:
        """Refresh popular numbers that have changed, or are about to expire."""
        since = self._monotonic() - POPULAR_SECONDS
        self._requested_at = _later(self._requested_at, since)
        expiring = list(self.responses.expiring(EXPIRING_SECONDS))
        for inputs in expiring:
            self._note(inputs.counter)
        self._requested_again_at = _later(self._requested_again_at, since)
        self._numbers.refresh(self._requested_again_at)
        self._reader.refresh_online(
            part.kept_as
            for name in {name for name, _ in self._requested_again_at}
            for part in self.changes.of(name).parts
        )
        # A page must be requested twice: pages can be made up.
        self._pages.refresh(page for inputs in expiring for page in inputs.pages)

    def changed(self, slug: str) -> None:
        """Note that somebody changed what is shown of a site."""
        if (site := self._registry.get(slug)) is not None:
            self.listener.changed(site.kept_as)

    async def respond(self, request: Request) -> Response:
        """Return the numbers of a site, and the views of the pages in the query."""
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=PREFLIGHT)
        site = self.site(request.path_params["site"])
        requested = parameters.parse(request.scope["query_string"], site)
        answer, inputs = await self.answer(site, *requested)
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

        Both map each path as given to the path as counted.

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
        parts = self._merged.online_of(site)
        online, _ = self._reader.online_known(parts)
        if online is None:
            online = await self._reader.online(parts)
        answer = shown.now(online)
        if stale or pages.stale:
            STALE_ANSWERS.inc()
            answer = await self._last_good(shown, pages)
        today = self._reader.today(site) if pages.stale else None
        for field, requested in (("paths", views), ("downloads", downloads)):
            if requested:
                answer = answer.with_more(
                    field,
                    {
                        given: page.numbers(page.day if today is None else today, field)
                        for given, key in requested.items()
                        if (page := pages.value.get(key)) is not None
                    },
                )
        return answer, None if stale or pages.stale else self._values.inputs(
            site, numbers, keys, online
        )

    async def read_all_now(self, site: Site, paths: Sequence[str]) -> None:
        """Read as `read_now` does, and re-read old days, too. Raises StoreError."""
        self._reader.forget(site)
        await self.read_now(site, paths)

    async def read_now(
        self, site: Site, paths: Sequence[str]
    ) -> tuple[dict[Metric, Reading], dict[str, PageReading]]:
        """Read a site in each of its measures, and pages, bypassing the caches. Raises StoreError.

        Sites merged into it, and other addresses of the pages, are included, as in public. What was
        read is kept as last shown, even if nobody requests it.
        """
        counters = [(site.kept_as, one) for one in dict.fromkeys(map(site.measure, Metric))]
        numbers = await self._merged.numbers(counters, self._reader.read)
        if len(numbers) < len(counters):
            raise StoreUnavailableError("Redis cannot keep what would be shown")
        keys = {path: (site.kept_as, site.page_of(path)) for path in paths}
        pages = await self._merged.pages(list(dict.fromkeys(keys.values())), self._page_reader.read)
        return (
            {metric: one.reading for (_, metric), one in numbers.items()},
            {path: pages[key] for path, key in keys.items() if key in pages},
        )

    async def views_of(self, sites: Iterable[Site]) -> dict[str, dict[str, int]]:
        """Return the views of many sites, by name and period, bypassing the caches.

        What was read is not kept as shown: nobody sees it on a page. Raises StoreError.
        """
        return await self._reader.views({site.kept_as: site for site in sites})

    async def _last_good(
        self, numbers: SiteNumbers, pages: Cached[dict[PageKey, PageReading]]
    ) -> TaggedBody:
        """Return the last good numbers as of today, dated by their oldest part."""
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
        """Return the requested pages; unknown ones are left out."""
        try:
            cached = await self._pages.get_many(keys)
        except TooManyWaitingError:
            raise unavailable("too many pages are asked for at once; try again later") from None
        stale = any(key not in cached or cached[key].stale for key in keys)
        return Cached({key: page.value for key, page in cached.items()}, stale=stale)


def _later(times: dict[CounterKey, float], since: float) -> dict[CounterKey, float]:
    return {counter: at for counter, at in times.items() if at >= since}
