"""Forms as browsers send them."""

from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.requests import Request

from services.http.errors import ApiError, bad_request

MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_BYTES = 64 * 1024
MAX_FIELDS = 1200


class Form:
    """The fields of a form."""

    def __init__(self, fields: dict[str, list[str]] | None = None) -> None:
        self._fields = fields or {}

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of a field, without space around it."""
        return self._fields.get(name, [default])[0].strip()

    def raw(self, name: str) -> str:
        """Return the first value of a field as it was typed, such as a password."""
        return self._fields.get(name, [""])[0]

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return self._fields.get(name, [])

    def words(self, name: str) -> list[str]:
        """Return what a field lists, on lines or with commas or spaces."""
        return self.get(name).replace(",", " ").split()

    def whole(self, name: str) -> int | str:
        """Return a field as a whole number; as text where it is none, for whoever checks it."""
        text = self.get(name)
        return int(text) if text.isascii() and text.isdecimal() else text

    def on(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return name in self._fields


async def read(request: Request) -> Form:
    """Read a form. Raises ApiError for what is none, or too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise bad_request("body", f"expected a form, {MEDIA_TYPE}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise ApiError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                {"body": f"too large; expected at most {MAX_BYTES} bytes"},
            )
    try:
        text = body.decode()
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except UnicodeDecodeError:
        raise bad_request("body", "this is not UTF-8") from None
    except ValueError:
        raise bad_request("body", f"expected at most {MAX_FIELDS} fields") from None
