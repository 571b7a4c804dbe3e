"""The most read pages of a site, for anybody, if the site allows it."""

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.api.counter import parameters, queries_top, routes
from services.api.counter.body import TaggedBody, iso
from services.api.counter.cache import BYTES_A_VALUE, NothingCachedError, StaleIfErrorCache
from services.api.counter.page_readers import MAX_LOOKED_AT, PublicPages
from services.api.sites.registry import Registry
from services.http import compression
from services.http.errors import ApiError, bad_request, shown, unavailable
from services.model.page_aliases import PageAlias
from services.model.site import ANY_HOST, ANY_TEXT, Site
from services.runtime.bounded import size_of
from services.store.interface import Store
from services.store.records import title_runs, titles

PATH = "/api/top/{site}"
MAX_LIMIT = 50
DEFAULT_LIMIT = 10
FRESH_SECONDS = 15.0
"""The TTL of a list: reading 30 days of many pages takes a while."""
MAX_BYTES = 8 << 20
"""The limit for all lists that are remembered."""
_BYTES_A_PAGE = 150

_HEADERS = routes.HEADERS | {
    "Cache-Control": f"public, max-age={FRESH_SECONDS:.0f}, stale-while-revalidate=60"
}


class TopPeriod(StrEnum):
    """The days that are looked at, the last of them the site's today; `all` is all time."""

    TODAY = "today"
    WEEK = "7d"
    MONTH = "30d"
    ALL = "all"


_DAYS = {TopPeriod.TODAY: 1, TopPeriod.WEEK: 7, TopPeriod.MONTH: 30}


class TopPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page and its views in the period; its title where one is known and may be shown."""

    path: str
    views: int
    title: str = ""


class _Reading(NamedTuple):
    as_of: int
    pages: Sequence[TopPage]
    withheld: int


class _List(NamedTuple):
    """What is asked for; a change of the site's settings makes it another list at once."""

    site: str
    parts: tuple[str, ...]
    period: TopPeriod
    hidden: tuple[str, ...]
    min_visitors: int
    aliases: tuple[PageAlias, ...]


class TopPages:
    """Answers `GET /api/top/{site}`; one read of a site and period serves all requests."""

    def __init__(
        self,
        site: Callable[[str], Site],
        registry: Registry,
        store: Store,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._registry = registry
        self._store = store
        self._clock = clock
        self._public = PublicPages(store, monotonic)
        self._lists = StaleIfErrorCache(
            self._read,
            ttl=FRESH_SECONDS,
            max_bytes=MAX_BYTES,
            size=_size,
            group=lambda key: key,  # batching makes them no cheaper
            clock=monotonic,
        )

    async def close(self) -> None:
        """Abandon the reads under way."""
        await self._lists.close()

    async def respond(self, request: Request) -> Response:
        """Return the most read pages of a period."""
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=routes.PREFLIGHT)
        site = self._site(request.path_params["site"])
        if not site.public_top:
            raise ApiError(
                HTTPStatus.FORBIDDEN,
                {"site": f"{shown(site.slug)} does not publish its most read pages (public_top)"},
            )
        period, limit = _parse(request.scope["query_string"])
        try:
            parts = self._registry.parts(site)
            # What is hidden on a site that was merged into this one stays hidden.
            hidden = dict.fromkeys(
                page if page.endswith(ANY_TEXT) else site.page_of(page)
                for part in parts
                for page in part.hidden_pages
            )
            (as_of, pages, withheld), stale = await self._lists.get(
                _List(
                    site.kept_as,
                    tuple(part.kept_as for part in parts),
                    period,
                    tuple(hidden),
                    site.min_visitors,
                    site.page_aliases,
                )
            )
        except NothingCachedError:
            raise unavailable("the store cannot be read, and nothing was read before") from None
        body = TaggedBody.of(
            {
                "site": site.slug,
                "as_of": iso(as_of, site.zone_at(as_of)),
                "period": period,
                "stale": stale,
                "host": next((host for host in site.hosts if ANY_HOST not in host), ""),
                "hash_routes": site.hash_routes,
                "pages": pages[:limit],
                "min_visitors": site.min_visitors,
                "withheld": withheld,
            }
        )
        return compression.respond(request, body.body, body.etag, _HEADERS, "application/json")

    async def _read(self, keys: Sequence[_List]) -> dict[_List, _Reading]:
        readings = {}
        for key in keys:
            now_ms = int(self._clock() * 1000)
            site = self._registry.kept(key.site)
            if site is None:
                continue  # removed meanwhile
            today = site.day_of(now_ms)
            days = (_first_day(key.period, today), today)
            candidates = MAX_LOOKED_AT if key.min_visitors else MAX_LIMIT
            rows = await queries_top.top_pages(
                self._store, key.parts, days, candidates, key.hidden, key.aliases
            )
            withheld = 0
            if key.min_visitors:
                rows, withheld = await self._public.chosen(
                    key.parts, days, rows, key.min_visitors, MAX_LIMIT, key.aliases
                )
            known = await self._titles(key, [path for path, _ in rows])
            pages = [TopPage(path, views, known.get(path, "")) for path, views in rows]
            readings[key] = _Reading(now_ms, pages, withheld)
        return readings

    async def _titles(self, key: _List, paths: Sequence[str]) -> dict[str, str]:
        """Return the titles of pages, if the site shows them in this list."""
        if not (await title_runs.plan(self._store, key.site)).in_top:
            return {}
        return await titles.of_paths(self._store, key.parts, paths)


def _first_day(period: TopPeriod, today: int) -> int:
    days = _DAYS.get(period)
    return queries_top.ALL_TIME if days is None else today - days + 1


def _size(key: _List, reading: _Reading) -> int:
    texts = [text for page in reading.pages for text in (page.path, page.title)]
    return BYTES_A_VALUE + _BYTES_A_PAGE * len(texts) // 2 + size_of(*texts, *key.hidden)


def _parse(query: bytes) -> tuple[TopPeriod, int]:
    period, limit = TopPeriod.WEEK, DEFAULT_LIMIT
    for name, value in parameters.fields(query):
        if name == "period":
            period = TopPeriod(parameters.one_of("period", value, list(TopPeriod)))
        elif name == "limit":
            limit = _limit(value)
    return period, limit


def _limit(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 3 and 0 < int(value) <= MAX_LIMIT):
        raise bad_request("limit", f"{shown(value)}; expected a whole number, 1 to {MAX_LIMIT}")
    return int(value)
