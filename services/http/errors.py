"""One shape for every error response: `{"errors": {"<field>": ["<what was wrong>"]}}`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Self

import msgspec
from starlette.responses import Response

RETRY_AFTER_SECONDS = 2

_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}


class Translatable(str):
    """A message that pages show in their reader's language: a key, with values filled in."""

    key: str
    values: dict[str, object]

    def __new__(cls, text: str, key: str, **values: object) -> Self:
        """Return a message; as a string, it is the text for programs and logs."""
        message = super().__new__(cls, text)
        message.key = key
        message.values = values
        return message


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
        """Return the response; `text_too` adds `error`, all that was wrong as one text."""
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


def unknown_site(slug: str, field: str = "site") -> ApiError:
    """Return the refusal of an unknown slug."""
    text = f"{shown(slug)} is not a site of this server"
    message = Translatable(text, "error.unknown_site", slug=shown(slug))
    return ApiError(HTTPStatus.NOT_FOUND, {field: message})


def unavailable(message: str) -> ApiError:
    """Return the response while the store is unavailable and nothing is cached."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, {"store": message}, headers)


def shown(value: object, limit: int = 80) -> str:
    """Return a value for use in a message: quoted, on one line, truncated."""
    text = ascii(value) if isinstance(value, bytes) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= limit else f"{text[:limit]}…"
