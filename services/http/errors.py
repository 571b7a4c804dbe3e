"""One shape for every error response: `{"errors": {"<field>": ["<what was wrong>"]}}`."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Self

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

RETRY_AFTER_SECONDS = 2

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}


class Told(str):
    """A message that pages say in their reader's language: by a key, with values filled in."""

    key: str
    values: dict[str, object]

    def __new__(cls, text: str, key: str, **values: object) -> Self:
        """Return a message; as a text, it is what programs and logs are told."""
        told = super().__new__(cls, text)
        told.key = key
        told.values = values
        return told


class ApiError(Exception):
    """A request that is refused."""

    def __init__(
        self, status: int, errors: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status}: {dict(errors)}")
        self.status = status
        self.errors = dict(errors)
        self.headers = dict(headers or {})

    def response(self, *, text_too: bool = False) -> Response:
        """Return the response; `text_too`: with `error`, all that was wrong as one text."""
        body: dict[str, object] = {
            "errors": {field: [str(text)] for field, text in self.errors.items()}
        }
        if text_too:
            body["error"] = "; ".join(f"{field}: {text}" for field, text in self.errors.items())
        return Response(
            msgspec.json.encode(body),
            status_code=self.status,
            headers=_HEADERS | self.headers,
            media_type="application/json",
        )


def bad_request(what: str, message: str) -> ApiError:
    """Return the refusal of one bad value."""
    return ApiError(HTTPStatus.BAD_REQUEST, {what: message})


def unknown_site(slug: str) -> ApiError:
    """Return the refusal of a slug that no site has."""
    text = f"{shown(slug)} is not a site of this server"
    told = Told(text, "error.unknown_site", slug=shown(slug))
    return ApiError(HTTPStatus.NOT_FOUND, {"site": told})


def unavailable(message: str) -> ApiError:
    """Return the response while the store is unavailable and nothing is cached."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, {"store": message}, headers)


def shown(value: object, limit: int = 80) -> str:
    """Return a value for use in a message: quoted, on one line, truncated."""
    text = ascii(value) if isinstance(value, bytes) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= limit else f"{text[:limit]}…"


Page = Callable[[Request, ApiError], Awaitable[Response | None]]


async def no_page(_: Request, __: ApiError) -> Response | None:
    """Return None: every response is JSON."""
    return None


def install(app: FastAPI, text_under: str | tuple[str, ...], page_of: Page = no_page) -> None:
    """Make every error response of the application have this shape.

    text_under  the prefixes of addresses whose responses also have `error`, a text, which clients
                of Plausible's API read
    page_of     returns the page that says to people that nothing is at an address; None for JSON
    """

    def respond(request: Request, error: ApiError) -> Response:
        return error.response(text_too=request.url.path.startswith(text_under))

    async def refused(request: Request, error: ApiError) -> Response:
        return respond(request, error)

    async def http(request: Request, error: HTTPException) -> Response:
        method = shown(request.method)
        known: dict[int, str] = {
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Told(
                f"the body is too large; {error.detail}", "error.too_large"
            ),
            HTTPStatus.NOT_FOUND: Told("there is nothing at this address", "error.nothing"),
            HTTPStatus.METHOD_NOT_ALLOWED: Told(
                f"{method} is not possible here", "error.method", method=method
            ),
        }
        message = known.get(error.status_code, str(error.detail))
        headers = error.headers
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers = {**(headers or {}), "Allow": ", ".join(_methods_of(request))}
        refusal = ApiError(error.status_code, {"request": message}, headers)
        return await page_of(request, refusal) or respond(request, refusal)

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = dict(_explain(problem) for problem in error.errors())
        return respond(request, ApiError(HTTPStatus.BAD_REQUEST, errors))

    async def failed(request: Request, error: Exception) -> Response:
        message = "the server failed; its log says why"
        return respond(request, ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, {"request": message}))

    app.add_exception_handler(ApiError, refused)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, invalid)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, failed)


def _methods_of(request: Request) -> list[str]:
    """Return the methods of an address: each has a route of its own, which knows only itself."""
    routes = request.app.router.routes
    return [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes
        )
    ]


def _explain(problem: Mapping[str, Any]) -> tuple[str, str]:
    where = [str(part) for part in problem["loc"] if part not in ("body", "query", "path")]
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] in ("json_invalid", "missing"):
        return ".".join(where) if problem["type"] == "missing" else "body", message
    given = "(hidden)" if "password" in where else shown(problem["input"])
    return ".".join(where) or "body", f"{given}: {message}"
