"""Forms as browsers send them, possibly with a file."""

import asyncio
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.http.errors import ApiError, bad_request

MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_BYTES = 64 * 1024
MAX_FIELDS = 1200

WITH_FILE = "multipart/form-data"
MAX_FILE_BYTES = 9_000_000
"""The limit of a form with a file; a proxy in front lets 9 MB through."""
_PIECE = 64 * 1024
_MOST_DIGITS = 18


class SentFile(NamedTuple):
    """A file that a form sent, and its name."""

    name: str
    content: bytes


def whole_number(text: str) -> int | None:
    """Return a text as a whole number; None if it is not one, or has too many digits."""
    is_one = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if is_one else None


class Form:
    """The fields of a form."""

    def __init__(
        self, fields: dict[str, list[str]] | None = None, file: SentFile | None = None
    ) -> None:
        self._fields = fields or {}
        self.file = file

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of a field, stripped of whitespace."""
        return self._fields.get(name, [default])[0].strip()

    def raw(self, name: str) -> str:
        """Return the first value of a field as it was typed, such as a password."""
        return self._fields.get(name, [""])[0]

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return self._fields.get(name, [])

    def words(self, name: str) -> list[str]:
        """Return the items of a field, separated by newlines, commas or spaces."""
        return self.get(name).replace(",", " ").split()

    def whole(self, name: str) -> int | str:
        """Return a field as a whole number, or as text if it is not one, for later validation."""
        text = self.get(name)
        number = whole_number(text)
        return text if number is None else number

    def on(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return name in self._fields


class _InMemory(MultiPartParser):
    spool_max_size = MAX_FILE_BYTES


async def read(request: Request) -> Form:
    """Read a form. Raises ApiError if it is not a form, or too large."""
    body = await _body(request, MEDIA_TYPE, MAX_BYTES)
    try:
        text = body.decode()
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except UnicodeDecodeError:
        raise bad_request("body", "this is not UTF-8") from None
    except ValueError:
        raise bad_request("body", f"expected at most {MAX_FIELDS} fields") from None


async def read_with_file(request: Request) -> Form:
    """Read a form that may have a file. Raises ApiError if it is not a form, or too large."""
    body = await _body(request, WITH_FILE, MAX_FILE_BYTES)
    parser = _InMemory(
        request.headers, _pieces(body), max_files=1, max_fields=20, max_part_size=MAX_FILE_BYTES
    )
    try:
        form_data = await parser.parse()
    except MultiPartException as error:
        raise bad_request("body", error.message) from None
    fields: dict[str, list[str]] = {}
    file: SentFile | None = None
    for name, value in form_data.multi_items():
        if not isinstance(value, UploadFile):
            fields.setdefault(name, []).append(value)
        # Browsers send an empty file field as a file without a name.
        elif value.filename:
            file = SentFile(value.filename, await value.read())
    await form_data.close()
    return Form(fields, file)


async def _body(request: Request, media_type: str, most: int) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        raise bad_request("body", f"expected a form, {media_type}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise ApiError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                {"body": f"too large; expected at most {most} bytes"},
            )
    return bytes(body)


async def _pieces(body: bytes) -> AsyncGenerator[bytes, None]:
    """Yield a body in pieces; other tasks run in between."""
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]
        await asyncio.sleep(0)
