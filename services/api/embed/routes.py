"""`GET /counter/{site}.svg`, `.html` and `.txt`: the numbers of the counter's JSON, drawn."""

from collections.abc import Callable
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.api import etag, public
from services.api.embed import badge, options, page
from services.api.embed.block import Block, text
from services.api.embed.options import Options
from services.api.errors import unavailable
from services.api.public import Counters
from services.api.ready import Parts

SVG = "/counter/{site}.svg"
HTML = "/counter/{site}.html"
TXT = "/counter/{site}.txt"


def routes(counters: Callable[[], Counters]) -> list[BaseRoute]:
    """Return the routes; `counters` is asked for with every request.

    What is drawn is kept no longer than its numbers are fresh, by the address with all options.
    """

    async def badge_image(request: Request) -> Response:
        if request.method == "OPTIONS":
            return _preflight()
        numbers = counters()
        asked, block, parts = await _read(request, numbers)
        policy = badge.policy(asked.look.preset, asked.look.theme)
        return _drawn(request, badge.svg(block), badge.MEDIA_TYPE, policy, numbers, parts)

    async def iframe_page(request: Request) -> Response:
        if request.method == "OPTIONS":
            return _preflight()
        numbers = counters()
        asked, block, parts = await _read(request, numbers)
        policy = page.policy(asked.look.preset, asked.look.theme)
        return _drawn(request, page.html(block), page.MEDIA_TYPE, policy, numbers, parts)

    async def plain_text(request: Request) -> Response:
        if request.method == "OPTIONS":
            return _preflight()
        numbers = counters()
        asked, block, parts = await _read(request, numbers)
        return _drawn(
            request, text(block, asked.heading), "text/plain; charset=utf-8", None, numbers, parts
        )

    drawn = {SVG: badge_image, HTML: iframe_page, TXT: plain_text}
    return [Route(path, answer, methods=["GET", "OPTIONS"]) for path, answer in drawn.items()]


async def _read(request: Request, counters: Counters) -> tuple[Options, Block, Parts | None]:
    site = counters.site(request.path_params["site"])
    asked = options.parse(request.scope["query_string"], site)
    wanted = dict([asked.path]) if asked.path else {}
    answer, parts = await counters.answer(site, asked.metric, wanted)
    numbers = msgspec.json.decode(answer.body)
    if asked.path is None:
        return asked, Block.of_site(asked.look, numbers), parts
    views = numbers["paths"].get(asked.path[0])
    if views is None:
        raise unavailable("the store cannot be read, and nothing was read before of this page")
    return asked, Block.of_page(asked.look, views["views"]), parts


def _drawn(
    request: Request,
    drawn: str,
    media_type: str,
    policy: str | None,
    counters: Counters,
    parts: Parts | None,
) -> Response:
    body = drawn.encode()
    headers = public.HEADERS | ({"Content-Security-Policy": policy} if policy else {})
    return counters.ready.respond(request, body, etag.weak(body), headers, media_type, parts)


def _preflight() -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=public.PREFLIGHT)
