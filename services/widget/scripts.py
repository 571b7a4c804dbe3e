"""Serves the browser scripts: the current version, and each version at an immutable address."""

import base64
import re
from collections.abc import Awaitable, Callable
from functools import cache
from hashlib import blake2b, sha384
from http import HTTPStatus
from importlib.resources import files

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from services import __version__
from services.http import compression, etag
from services.http.errors import ApiError, shown
from services.http.measured_route import MeasuredRoute

COUNTER = "counter.js"
BLOCKS = "blocks.js"
PLAUSIBLE = "plausible.js"
"""Served at /js/, under the names of Plausible's script."""
FILES = {
    name: media_type
    for script in (COUNTER, BLOCKS, PLAUSIBLE)
    for name, media_type in (
        (script, "text/javascript; charset=utf-8"),
        (f"{script}.map", "application/json"),
    )
}
VERSIONED = f"/v{__version__}"
INFORMATION = "/api/script"

# Browsers use the script for an hour, and a stale one for at most a day while they renew it.
RENEWED = "public, max-age=3600, stale-while-revalidate=86400"
IMMUTABLE = "public, max-age=31536000, immutable"
HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    **compression.VARIES,
    "X-Content-Type-Options": "nosniff",
}

# One folder per version, named like its address. Released ones stay: portals have pinned them.
STATIC = files("services.widget").joinpath("static")
# /js/script.js, /js/plausible.outbound-links.js, /js/index.js of Gatsby's plugin, /js/pa-….js
_PLAUSIBLE_NAME = re.compile(
    r"(?:script|plausible|index|analytics|p|pa|pa-[\w-]+)(?:\.[a-z-]+)*\.js"
)
_FOLDER = re.compile(r"v(\d+(?:\.\d+)*)", re.ASCII)

Handler = Callable[[Request], Awaitable[Response]]


class Script(BaseModel):
    """One script of this version; its content never changes."""

    path: str = Field(examples=[f"{VERSIONED}/{COUNTER}"])
    integrity: str = Field(description="for the attribute of this name", examples=["sha384-…"])


class Scripts(BaseModel):
    """What a tag needs to pin this version."""

    version: str = Field(examples=[__version__])
    url: str | None = Field(description="where browsers reach Luot, where that is set")
    scripts: dict[str, Script]


def versions() -> list[str]:
    """Return the versions of the scripts that are served, oldest first."""
    # Operating systems and tools leave other folders here.
    folders = [match for entry in STATIC.iterdir() if (match := _FOLDER.fullmatch(entry.name))]
    return sorted((match[1] for match in folders), key=lambda each: [*map(int, each.split("."))])


def built(name: str, version: str = __version__) -> bytes:
    """Return a built script or source map."""
    return STATIC.joinpath(f"v{version}", name).read_bytes()


def compressed(content: bytes) -> bytes:
    """Return content as gzip, reproducibly."""
    return compression.compressed(content, level=9)


def integrity(content: bytes) -> str:
    """Return the hash of a script for an `integrity` attribute (W3C SRI, section 3.1)."""
    return "sha384-" + base64.b64encode(sha384(content).digest()).decode()


def router(public_url: str | None) -> APIRouter:
    """Return the route that serves the version and the hashes."""
    information = Scripts(
        version=__version__,
        url=public_url,
        scripts={
            name: Script(path=f"{VERSIONED}/{name}", integrity=integrity(built(name)))
            for name in (COUNTER, BLOCKS)
        },
    )
    router = APIRouter(tags=["public"])

    @router.get(INFORMATION, summary="The scripts of this version, and their hashes")
    async def scripts() -> Scripts:
        return information

    return router


def routes() -> list[BaseRoute]:
    """Return the routes of the scripts and their source maps; each file is read once."""
    folders = {"": __version__, "/v1": __version__} | {f"/v{each}": each for each in versions()}
    routes = [
        MeasuredRoute(
            f"{folder}/{name}", _answer(name, version, immutable=folder == f"/v{version}")
        )
        for folder, version in folders.items()
        for name in FILES
    ]
    other = [MeasuredRoute(f"/v{{version:str}}/{name}", _other_version) for name in FILES]
    return [*routes, *other, MeasuredRoute("/js/{name:str}", _as_plausible)]


@cache
def _prepared(name: str, version: str) -> tuple[bytes, bytes, str]:
    """Return a file, plain and compressed, and its ETag."""
    plain = built(name, version)
    return plain, compressed(plain), blake2b(plain, digest_size=9).hexdigest()


def _answer(name: str, version: str, *, immutable: bool) -> Handler:
    media_type = FILES[name]
    cached = HEADERS | {"Cache-Control": IMMUTABLE if immutable else RENEWED}

    async def answer(request: Request) -> Response:
        plain, packed, tag = _prepared(name, version)
        accepted = request.headers.get("accept-encoding", "")
        if not compression.accepts_gzip(accepted):
            return etag.respond(request, plain, f'"{tag}"', cached, media_type)
        headers = cached | compression.GZIP
        response = etag.respond(request, packed, f'"{tag}-gzip"', headers, media_type)
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            del response.headers["content-encoding"]
        return response

    return answer


async def _as_plausible(request: Request) -> Response:
    """Answer a request for Plausible's script, whatever features its name lists."""
    name = request.path_params["name"]
    if name == f"{PLAUSIBLE}.map":
        return await _answer(name, __version__, immutable=False)(request)
    if not _PLAUSIBLE_NAME.fullmatch(name):
        raise ApiError(
            HTTPStatus.NOT_FOUND,
            {"name": f"{shown(name)} is no name of a script; expected for example script.js"},
        )
    return await _answer(PLAUSIBLE, __version__, immutable=False)(request)


async def _other_version(request: Request) -> Response:
    raise ApiError(
        HTTPStatus.NOT_FOUND,
        {
            "version": f"{shown(request.path_params['version'])} is not served here, only"
            f" {', '.join(versions())}: take {VERSIONED} with the hash that `luot snippet` prints,"
            " or /v1"
        },
    )
