"""The browser script, as every portal embeds it."""

import gzip
from hashlib import blake2b
from http import HTTPStatus
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.api import etag

# A portal keeps the script for an hour; a new one is in use the day after, whatever is offline.
HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "public, max-age=3600, stale-while-revalidate=86400",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}
MEDIA_TYPE = "text/javascript; charset=utf-8"


def source() -> bytes:
    """Return the script as it is sent: without its comments, but for the first line."""
    text = files("services.api").joinpath("static/counter.js").read_text("utf-8")
    first, *rest = text.splitlines(keepends=True)
    return "".join([first, *(line for line in rest if not line.lstrip().startswith("//"))]).encode()


def compressed(content: bytes) -> bytes:
    """Return content as gzip, the same bytes every time."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def routes() -> list[BaseRoute]:
    """Return the routes of the script; it is read once."""
    plain = source()
    packed = compressed(plain)
    version = blake2b(plain, digest_size=9).hexdigest()

    async def script(request: Request) -> Response:
        accepted = request.headers.get("accept-encoding", "")
        if not _accepts_gzip(accepted):
            return etag.respond(request, plain, f'"{version}"', HEADERS, MEDIA_TYPE)
        headers = HEADERS | {"Content-Encoding": "gzip"}
        response = etag.respond(request, packed, f'"{version}-gzip"', headers, MEDIA_TYPE)
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            del response.headers["content-encoding"]
        return response

    return [Route("/counter.js", script), Route("/v1/counter.js", script)]


def _accepts_gzip(accepted: str) -> bool:
    for coding in accepted.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
