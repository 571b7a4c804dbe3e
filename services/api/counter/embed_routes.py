"""`GET /counter/{site}.svg`, `.html` and `.txt`: the numbers of the counter's JSON, drawn."""

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.api.counter import embed_options
from services.api.counter.embed_options import EmbedOptions
from services.api.counter.response_cache import Inputs
from services.api.counter.routes import HEADERS, PREFLIGHT, Counters
from services.http import etag
from services.http.errors import unavailable
from services.widget import badge, page
from services.widget.block import Block, text

SVG = "/counter/{site}.svg"
HTML = "/counter/{site}.html"
TXT = "/counter/{site}.txt"


class Drawn(NamedTuple):
    """A block as it is sent, with its Content-Security-Policy where it needs one."""

    text: str
    media_type: str
    policy: str | None


Draw = Callable[[EmbedOptions, Block], Drawn]


def routes(counters: Callable[[], Counters]) -> list[BaseRoute]:
    """Return the routes; `counters` is asked for with every request.

    What is drawn is kept no longer than its numbers are fresh, by the address with all options.
    """

    def route(path: str, draw: Draw) -> Route:
        async def answer(request: Request) -> Response:
            if request.method == "OPTIONS":
                return Response(status_code=HTTPStatus.NO_CONTENT, headers=PREFLIGHT)
            numbers = counters()
            asked, block, inputs = await _read(request, numbers)
            drawn = draw(asked, block)
            body = drawn.text.encode()
            headers = HEADERS
            if drawn.policy:
                headers = headers | {"Content-Security-Policy": drawn.policy}
            tag = etag.weak(body)
            return numbers.responses.respond(request, body, tag, headers, drawn.media_type, inputs)

        return Route(path, answer, methods=["GET", "OPTIONS"])

    return [route(SVG, _badge), route(HTML, _page), route(TXT, _text)]


async def _read(request: Request, counters: Counters) -> tuple[EmbedOptions, Block, Inputs | None]:
    site = counters.site(request.path_params["site"])
    asked = embed_options.parse(request.scope["query_string"], site)
    wanted = dict([asked.path]) if asked.path else {}
    answer, inputs = await counters.answer(site, asked.metric, wanted)
    numbers = msgspec.json.decode(answer.body)
    if asked.path is None:
        return asked, Block.of_site(asked.look, numbers), inputs
    views = numbers["paths"].get(asked.path[0])
    if views is None:
        raise unavailable("the store cannot be read, and nothing was read before of this page")
    return asked, Block.of_page(asked.look, views["views"]), inputs


def _badge(asked: EmbedOptions, block: Block) -> Drawn:
    policy = badge.policy(asked.look.preset, asked.look.theme)
    return Drawn(badge.svg(block), badge.MEDIA_TYPE, policy)


def _page(asked: EmbedOptions, block: Block) -> Drawn:
    policy = page.policy(asked.look.preset, asked.look.theme)
    return Drawn(page.html(block), page.MEDIA_TYPE, policy)


def _text(asked: EmbedOptions, block: Block) -> Drawn:
    return Drawn(text(block, asked.heading), "text/plain; charset=utf-8", None)
