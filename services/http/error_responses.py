"""What a FastAPI application answers when a request is refused or fails.

Separate from the errors themselves, which services without FastAPI use as well: importing FastAPI
takes as long as everything else that ingest does at its start.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from services.http.errors import ApiError, Translatable, shown

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Page = Callable[[Request, ApiError], Awaitable[Response | None]]


async def no_page(_: Request, __: ApiError) -> Response | None:
    """Return None: every response is JSON."""
    return None


def install(app: FastAPI, text_under: str | tuple[str, ...], page_of: Page = no_page) -> None:
    """Make every error response of the application have this shape.

    text_under  path prefixes whose responses also have `error`, a text, which clients of
                Plausible's API read
    page_of     returns the page that tells people that nothing is at an address; None for JSON
    """

    def respond(request: Request, error: ApiError) -> Response:
        return error.response(text_too=request.url.path.startswith(text_under))

    async def refused(request: Request, error: ApiError) -> Response:
        return respond(request, error)

    async def http(request: Request, error: HTTPException) -> Response:
        method = shown(request.method)
        known: dict[int, str] = {
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Translatable(
                f"the body is too large; {error.detail}", "error.too_large"
            ),
            HTTPStatus.NOT_FOUND: Translatable("there is nothing at this address", "error.nothing"),
            HTTPStatus.METHOD_NOT_ALLOWED: Translatable(
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
    """Return the methods of a path: each has a route of its own, which knows only that method."""
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
