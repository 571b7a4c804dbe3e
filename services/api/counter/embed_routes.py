"""`GET /counter/{site}.svg`, `.html` and `.txt`: the counter as a badge, a page and text."""

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from services.api.counter import embed_options
from services.api.counter.embed_options import EmbedOptions
from services.api.counter.response_cache import Inputs
from services.api.counter.routes import HEADERS, PREFLIGHT, Counters
from services.http import etag
from services.http.errors import unavailable
from services.http.measured_route import MeasuredRoute
from services.widget import badge, page
from services.widget.block import Block, text

SVG = "/counter/{site}.svg"
HTML = "/counter/{site}.html"
TXT = "/counter/{site}.txt"


class Drawn(NamedTuple):
    """A rendered block, with its Content-Security-Policy if it needs one."""

    text: str
    media_type: str
    policy: str | None


Draw = Callable[[EmbedOptions, Block], Drawn]


def routes(counters: Callable[[], Counters]) -> list[BaseRoute]:
    """Return the routes; `counters` is called with every request.

    A response is cached by its URL with all options, for as long as its numbers are fresh.
    """

    def route(path: str, draw: Draw) -> MeasuredRoute:
        async def answer(request: Request) -> Response:
            if request.method == "OPTIONS":
                return Response(status_code=HTTPStatus.NO_CONTENT, headers=PREFLIGHT)
            numbers = counters()
            options, block, inputs = await _read(request, numbers, every=path == TXT)
            drawn = draw(options, block)
            body = drawn.text.encode()
            headers = HEADERS
            if drawn.policy:
                headers = headers | {"Content-Security-Policy": drawn.policy}
            tag = etag.weak(body)
            return numbers.responses.respond(request, body, tag, headers, drawn.media_type, inputs)

        return MeasuredRoute(path, answer, methods=["GET", "OPTIONS"])

    return [route(SVG, _badge), route(HTML, _page), route(TXT, _text)]


async def _read(
    request: Request, counters: Counters, *, every: bool
) -> tuple[EmbedOptions, Block, Inputs | None]:
    site = counters.site(request.path_params["site"])
    options = embed_options.parse(request.scope["query_string"], site)
    paths = dict([options.path]) if options.path else {}
    answer, inputs = await counters.answer(site, options.metric, paths)
    numbers = msgspec.json.decode(answer.body)
    if options.path is None:
        return options, Block.of_site(options.look, numbers, every=every), inputs
    views = numbers["paths"].get(options.path[0])
    if views is None:
        raise unavailable("the store cannot be read, and nothing was read before of this page")
    return options, Block.of_page(options.look, views["views"]), inputs


def _badge(options: EmbedOptions, block: Block) -> Drawn:
    return Drawn(badge.svg(block), badge.MEDIA_TYPE, badge.policy(options.look))


def _page(options: EmbedOptions, block: Block) -> Drawn:
    return Drawn(page.html(block), page.MEDIA_TYPE, page.policy(options.look))


def _text(options: EmbedOptions, block: Block) -> Drawn:
    return Drawn(text(block, options.heading), "text/plain; charset=utf-8", None)
