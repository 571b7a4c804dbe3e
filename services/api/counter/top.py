"""The most read pages of a site, for anybody, where the site allows it."""

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.api.counter import parameters, queries, routes
from services.api.counter.body import Answer, iso
from services.api.counter.cache import LastGood, NothingKnownError
from services.http import etag
from services.http.errors import ApiError, bad_request, shown, unavailable
from services.model.calendar import local_day
from services.model.site import Site
from services.store.interface import Store

PATH = "/api/top/{site}"
MAX_LIMIT = 50
DEFAULT_LIMIT = 10
FRESH_SECONDS = 15.0
"""How long a list is kept before it is read again: reading 30 days of many pages takes a while."""
REMEMBERED = 1_000

_HEADERS = routes.HEADERS | {
    "Cache-Control": f"public, max-age={FRESH_SECONDS:.0f}, stale-while-revalidate=60"
}


class Period(StrEnum):
    """The days that are looked at, the last of them the site's today."""

    TODAY = "today"
    WEEK = "7d"
    MONTH = "30d"


_DAYS = {Period.TODAY: 1, Period.WEEK: 7, Period.MONTH: 30}


class Page(msgspec.Struct, frozen=True):
    """A page and its views in the period."""

    path: str
    views: int


class _Reading(NamedTuple):
    as_of: int
    pages: Sequence[Page]


class TopPages:
    """Answers `GET /api/top/{site}`; one reading of a site and period serves everybody."""

    def __init__(
        self,
        site: Callable[[str], Site],
        store: Store,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._store = store
        self._clock = clock
        self._lists = LastGood(
            self._read,
            ttl=FRESH_SECONDS,
            limit=REMEMBERED,
            group=lambda wanted: wanted,  # one reading is no cheaper for the others
            clock=monotonic,
        )

    async def close(self) -> None:
        """Abandon the readings under way."""
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
            (as_of, pages), stale = await self._lists.get((site.slug, period))
        except NothingKnownError:
            raise unavailable("the store cannot be read, and nothing was read before") from None
        answer = Answer.of(
            {
                "site": site.slug,
                "as_of": iso(as_of, site.timezone),
                "period": period,
                "stale": stale,
                "pages": pages[:limit],
            }
        )
        return etag.respond(request, answer.body, answer.etag, _HEADERS, "application/json")

    async def _read(
        self, wanted: Sequence[tuple[str, Period]]
    ) -> dict[tuple[str, Period], _Reading]:
        readings = {}
        for slug, period in wanted:
            now_ms = int(self._clock() * 1000)
            today = local_day(now_ms, self._site(slug).timezone)
            first = today - _DAYS[period] + 1
            found = await queries.top_pages(self._store, slug, first, today, MAX_LIMIT)
            pages = [Page(path, views) for path, views in found]
            readings[slug, period] = _Reading(now_ms, pages)
        return readings


def _parse(asked: bytes) -> tuple[Period, int]:
    period, limit = Period.WEEK, DEFAULT_LIMIT
    for name, value in parameters.fields(asked):
        if name == "period":
            period = Period(parameters.one_of("period", value, list(Period)))
        elif name == "limit":
            limit = _limit(value)
    return period, limit


def _limit(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 3 and 0 < int(value) <= MAX_LIMIT):
        raise bad_request("limit", f"{shown(value)}; expected a whole number, 1 to {MAX_LIMIT}")
    return int(value)
