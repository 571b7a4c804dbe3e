"""What anybody may read: the numbers of a site."""

import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.api import etag, paths
from services.api.cache import Held, LastGood, NothingKnownError
from services.api.counters import Answer, CounterReader, PathViews
from services.api.errors import ApiError, bad_request, shown, unavailable, unknown_site
from services.api.metrics import COUNTER_CACHE, STALE_ANSWERS
from services.api.registry import Registry
from services.model.site import Metric, Site

PATH = "/api/counter/{site}"
MAX_QUERY_BYTES = 32 * 1024
MAX_FIELDS = 200
REMEMBERED_PATHS = 50_000

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

_FRESH = COUNTER_CACHE.labels("fresh")


class Counters:
    """Answers `GET /api/counter/{site}` from what is remembered, and reads what is not."""

    def __init__(
        self,
        registry: Registry,
        reader: CounterReader,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._reader = reader
        self._answers = LastGood(self._read_answers, clock=monotonic)
        self._paths = LastGood(self._read_paths, limit=REMEMBERED_PATHS, clock=monotonic)

    async def close(self) -> None:
        """Abandon the readings under way."""
        await self._answers.close()
        await self._paths.close()
        await self._reader.close()

    async def respond(self, request: Request) -> Response:
        """Return the numbers of a site, and the views of the pages that were asked for."""
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=PREFLIGHT)
        site = self._site(request.path_params["site"])
        metric, asked = _parse(request.scope["query_string"], site)
        try:
            held = await self._answer(site, metric)
            pages = await self._pages(site, asked) if asked else None
        except NothingKnownError:
            COUNTER_CACHE.labels("none").inc()
            raise unavailable("the store cannot be read, and nothing was read before") from None
        answer, stale = held
        stale = stale or (pages is not None and pages.stale)
        body, tag = answer.body, answer.etag
        if stale:
            STALE_ANSWERS.inc()
            body, tag = answer.stale_body, answer.stale_etag
        if pages is not None:
            encoded = msgspec.json.encode(pages.value)
            body = body[:-1] + b',"paths":' + encoded + b"}"
            tag = etag.weak(tag.encode() + encoded)
        return etag.respond(request, body, tag, HEADERS, "application/json")

    def _site(self, slug: str) -> Site:
        site = self._registry.get(slug)
        if site is None:
            if not self._registry.loaded:
                raise unavailable("the store cannot be read yet")
            raise unknown_site(slug)
        return site

    async def _answer(self, site: Site, metric: Metric) -> Held[Answer]:
        fresh = self._answers.fresh((site.slug, metric))
        if fresh is not None:
            _FRESH.inc()
            return Held(fresh, stale=False)
        held = await self._answers.get((site.slug, metric))
        COUNTER_CACHE.labels("stale" if held.stale else "read").inc()
        return held

    async def _pages(self, site: Site, asked: dict[str, str]) -> Held[dict[str, PathViews]]:
        held = await self._paths.get_many([(site.slug, path) for path in asked.values()])
        pages = {given: held[site.slug, path].value for given, path in asked.items()}
        return Held(pages, stale=any(page.stale for page in held.values()))

    async def _read_answers(
        self, wanted: Sequence[tuple[str, Metric]]
    ) -> dict[tuple[str, Metric], Answer]:
        return {
            (slug, metric): await self._reader.answer(self._site(slug), metric)
            for slug, metric in wanted
        }

    async def _read_paths(
        self, wanted: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], PathViews]:
        slug = wanted[0][0]
        found = await self._reader.paths(self._site(slug), [path for _, path in wanted])
        return {(slug, path): views for path, views in found.items()}


def _parse(query: bytes, site: Site) -> tuple[Metric, dict[str, str]]:
    """Return the measure, and the paths asked for: as given → as counted."""
    if not query:
        return site.metric, {}
    if len(query) > MAX_QUERY_BYTES:
        raise ApiError(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            {"query": f"{len(query)} bytes; expected at most {MAX_QUERY_BYTES}"},
        )
    metric, asked = site.metric, {}
    for name, value in _fields(query):
        if name == "metric":
            metric = _metric(value)
        elif name == "path":
            asked[value] = paths.counted(value, site.significant)
    if len(asked) > paths.MAX_PATHS:
        raise bad_request("path", f"{len(asked)} paths; expected at most {paths.MAX_PATHS}")
    return metric, asked


def _fields(query: bytes) -> list[tuple[str, str]]:
    try:
        text = query.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise bad_request("query", f"{shown(query)} is not percent-encoded UTF-8") from None
    except ValueError:
        raise bad_request("query", f"expected at most {MAX_FIELDS} parameters") from None


def _metric(value: str) -> Metric:
    try:
        return Metric(value)
    except ValueError:
        expected = ", ".join(Metric)
        raise bad_request("metric", f"{shown(value)}; expected one of {expected}") from None
