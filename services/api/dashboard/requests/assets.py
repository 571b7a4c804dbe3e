"""Style sheet, script and icon of the pages, cached by browsers until they change."""

from functools import lru_cache
from hashlib import blake2b
from http import HTTPStatus
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from services.http import etag
from services.http.errors import ApiError

PATH = "/admin/static/{name}"
MEDIA_TYPES = {
    "admin.css": "text/css; charset=utf-8",
    "admin.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def url(name: str) -> str:
    """Return the address of a file's current version."""
    return f"{PATH.format(name=name)}?v={_read(name)[1]}"


async def answer(request: Request) -> Response:
    """Return a file."""
    name = request.path_params["name"]
    if name not in MEDIA_TYPES:
        raise ApiError(HTTPStatus.NOT_FOUND, {"request": "there is nothing at this address"})
    body, version = _read(name)
    current = request.query_params.get("v") == version
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return etag.respond(request, body, f'"{version}"', headers, MEDIA_TYPES[name])


@lru_cache(maxsize=len(MEDIA_TYPES))
def _read(name: str) -> tuple[bytes, str]:
    body = files("services.api.dashboard").joinpath("static", name).read_bytes()
    return body, blake2b(body, digest_size=6).hexdigest()
