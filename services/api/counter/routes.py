"""What anybody may read: the numbers of a site."""

import asyncio
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from services.api.counter import parameters, paths
from services.api.counter.body import Answer, Numbers
from services.api.counter.cache import Held, LastGood, NothingKnownError
from services.api.counter.pages import Page, PageReader
from services.api.counter.reader import CounterReader, Wanted
from services.api.counter.reading import PageReading
from services.api.counter.response_cache import Parts, ReadyAnswers
from services.api.metrics import COUNTER_CACHE, STALE_ANSWERS
from services.api.sites.registry import Registry
from services.http.errors import bad_request, unavailable, unknown_site
from services.model.site import Metric, Site
from services.state.state import State
from services.store.interface import Store

PATH = "/api/counter/{site}"
REMEMBERED_PATHS = 20_000
PATHS_PAUSE_SECONDS = 0.05
"""Twenty readings of pages a second at most, however many are invented."""
RENEW_SECONDS = 0.2
ENDING_SECONDS = 0.3
RENEWED_SECONDS = 5.0
"""How long the numbers of a site are renewed after they were asked for twice in that time."""
GRACE_SECONDS = 0.5
"""How much longer numbers are good while they are renewed: nobody waits for a busy store."""
SITES_A_READING = 100
PATHS_A_READING = 500

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
_NO_PAGES = Held[dict[str, PageReading]]({}, stale=False)


class Counters:
    """Answers `GET /api/counter/{site}` from what is remembered, and reads what is not."""

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
        self._answers = LastGood(
            self._read_numbers,
            recall=self._recall_numbers,
            grace=GRACE_SECONDS,
            batch=SITES_A_READING,
            # Visitors are read from another table, which may take longer.
            group=lambda wanted: wanted[1] is Metric.VISITORS,
            clock=monotonic,
        )
        # One reading of pages at a time, however many are asked for, or invented.
        self._paths = LastGood(
            self._read_paths,
            recall=self._page_reader.recall,
            grace=GRACE_SECONDS,
            limit=REMEMBERED_PATHS,
            batch=PATHS_A_READING,
            pause=PATHS_PAUSE_SECONDS,
            clock=monotonic,
        )
        self.ready = ReadyAnswers(
            registry.get, monotonic, grace=GRACE_SECONDS, renewed=self._is_renewed
        )
        self._monotonic = monotonic
        self._asked_at: dict[Wanted, float] = {}
        self._asked_again_at: dict[Wanted, float] = {}

    async def close(self) -> None:
        """Abandon the readings under way."""
        await self._answers.close()
        await self._paths.close()
        await self._reader.close()

    async def keep_fresh(self) -> None:
        """Renew for as long as this runs."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            self.renew()

    def renew(self) -> None:
        """Read again, before it ends, what was asked for lately: nobody waits for that."""
        since = self._monotonic() - RENEWED_SECONDS
        self._asked_at = _later(self._asked_at, since)
        ending = list(self.ready.ending(ENDING_SECONDS))
        for parts in ending:
            self._note(parts.wanted)
        self._asked_again_at = _later(self._asked_again_at, since)
        self._answers.renew(self._asked_again_at)
        # A page must be asked for twice: pages can be invented.
        self._paths.renew(page for parts in ending for page in parts.pages)

    async def respond(self, request: Request) -> Response:
        """Return the numbers of a site, and the views of the pages that were asked for."""
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=PREFLIGHT)
        site = self.site(request.path_params["site"])
        metric, asked = _parse(request.scope["query_string"], site)
        answer, parts = await self.answer(site, metric, asked)
        return self.ready.respond(
            request, answer.body, answer.etag, HEADERS, "application/json", parts
        )

    async def answer(
        self, site: Site, metric: Metric, asked: dict[str, str]
    ) -> tuple[Answer, Parts | None]:
        """Return the numbers of a site with the views of pages: path as given → as counted.

        With them comes what they were made of, if all of it is fresh.
        Raises ApiError when the store cannot be read and nothing good is known.
        """
        try:
            numbers, stale = await self._numbers(site, metric)
        except NothingKnownError:
            COUNTER_CACHE.labels("none").inc()
            raise unavailable("the store cannot be read, and nothing was read before") from None
        pages = await self._pages(site, asked) if asked else _NO_PAGES
        answer = numbers.answer
        if stale or pages.stale:
            STALE_ANSWERS.inc()
            answer = await self._last_good(numbers, pages)
        if asked:
            today = self._reader.today(site) if pages.stale else None
            answer = answer.with_pages(
                {
                    path: page.numbers(page.day if today is None else today)
                    for path, page in pages.value.items()
                }
            )
        return answer, None if stale or pages.stale else self._parts(site, numbers, asked)

    def _parts(self, site: Site, numbers: Numbers, asked: dict[str, str]) -> Parts | None:
        wanted = (site.slug, numbers.metric)
        if self._answers.fresh(wanted) is not numbers:
            return None  # it grew old, or was read again, while the pages were read
        pages = tuple((site.slug, path) for path in asked.values())
        ends = [self._answers.fresh_until(wanted), *map(self._paths.fresh_until, pages)]
        return Parts(site, wanted, pages, min(ends))

    def _is_renewed(self, parts: Parts) -> bool:
        return self._answers.is_renewed(parts.wanted) and all(
            map(self._paths.is_renewed, parts.pages)
        )

    async def _last_good(self, numbers: Numbers, pages: Held[dict[str, PageReading]]) -> Answer:
        """Return what was read last as it reads today; its time is that of its oldest part."""
        today = self._reader.today(numbers.site)
        online = await self._reader.online(numbers.site)
        parts = (numbers.reading, *(pages.value.values() if pages.stale else ()))
        return numbers.stale(today, online, min(part.as_of for part in parts))

    def site(self, slug: str) -> Site:
        """Return a site; ApiError when there is none of that name."""
        site = self._registry.get(slug)
        if site is None:
            if not self._registry.loaded:
                raise unavailable("the store cannot be read yet")
            raise unknown_site(slug)
        return site

    def _note(self, wanted: Wanted) -> None:
        now = self._monotonic()
        if wanted in self._asked_at:
            self._asked_again_at[wanted] = now
        self._asked_at[wanted] = now

    async def _numbers(self, site: Site, metric: Metric) -> Held[Numbers]:
        self._note((site.slug, metric))
        fresh = self._answers.fresh((site.slug, metric))
        if fresh is not None:
            _FRESH.inc()
            return Held(fresh, stale=False)
        held = await self._answers.get((site.slug, metric))
        COUNTER_CACHE.labels("stale" if held.stale else "read").inc()
        return held

    async def _pages(self, site: Site, asked: dict[str, str]) -> Held[dict[str, PageReading]]:
        """Return the pages asked for; those of which nothing is known are left out."""
        held = await self._paths.get_many([(site.slug, path) for path in asked.values()])
        pages = {
            given: held[site.slug, path].value
            for given, path in asked.items()
            if (site.slug, path) in held
        }
        stale = len(pages) < len(asked) or any(page.stale for page in held.values())
        return Held(pages, stale=stale)

    async def _read_numbers(self, wanted: Sequence[Wanted]) -> dict[Wanted, Numbers]:
        sites, known = self._known(wanted)
        return await self._reader.read(sites, known) if known else {}

    async def _recall_numbers(self, wanted: Sequence[Wanted]) -> dict[Wanted, Numbers]:
        sites, known = self._known(wanted)
        return await self._reader.recall(sites, known) if known else {}

    async def _read_paths(self, wanted: Sequence[Page]) -> dict[Page, PageReading]:
        sites, known = self._known(wanted)
        return await self._page_reader.read(sites, known) if known else {}

    def _known(
        self, wanted: Sequence[tuple[str, N]]
    ) -> tuple[dict[str, Site], list[tuple[str, N]]]:
        """Return the sites that are meant, without those that were removed meanwhile."""
        sites = {
            slug: site
            for slug in {slug for slug, _ in wanted}
            if (site := self._registry.get(slug)) is not None
        }
        return sites, [key for key in wanted if key[0] in sites]


def _later(asked_at: dict[Wanted, float], since: float) -> dict[Wanted, float]:
    return {wanted: at for wanted, at in asked_at.items() if at >= since}


def _parse(asked_for: bytes, site: Site) -> tuple[Metric, dict[str, str]]:
    """Return the measure, and the paths asked for: as given → as counted."""
    if not asked_for:
        return site.metric, {}
    metric, asked = site.metric, {}
    for name, value in parameters.fields(asked_for):
        if name == "metric":
            metric = parameters.metric(value)
        elif name == "path":
            asked[value] = paths.counted(value, site.significant)
    if len(asked) > paths.MAX_PATHS:
        raise bad_request("path", f"{len(asked)} paths; expected at most {paths.MAX_PATHS}")
    return metric, asked
