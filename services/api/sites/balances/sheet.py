"""Reads uploaded tables, CSV or XLSX, as rows of cells, within limits whatever the file holds."""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from services.http.errors import ApiError, bad_request

MAX_LINES = 50_000
MAX_BYTES = 8 * 1024 * 1024
MAX_UNPACKED = 32 * 1024 * 1024
"""The most that the parts of a workbook may unpack to in total."""
MAX_COLUMNS = 50
MAX_ROWS = 20 * MAX_LINES
MAX_CELL = 4096

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_ZIP = b"PK\x03\x04"
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

TableRow = tuple[int, Sequence[Any]]
"""The number of a line, or of a sheet's row, from 1, and its cells."""


def rows_of(content: bytes, *, of_texts: bool = False) -> tuple[str, Iterator[TableRow]]:
    """Return what a file is, and its rows that are not empty.

    of_texts  its first line may not be a heading, and its cells may contain separators: then the
              first one in it is the delimiter

    Raises ApiError, 400, now or while reading, for what is no table.
    """
    if content.startswith(_ZIP):
        return "XLSX", _bounded(_of_workbook(content))
    text = _text(content)
    delimiter = _delimiter(text, of_texts=of_texts)
    return f"CSV, {DELIMITERS[delimiter]}", _bounded(_of_text(text, delimiter))


def _bounded(rows: Iterator[TableRow]) -> Iterator[TableRow]:
    count = 0
    for number, cells in rows:
        if not any(cell not in (None, "") for cell in cells):
            continue
        count += 1
        if count > MAX_LINES + 1:
            raise bad_request(
                "file", f"more than {MAX_LINES} lines; expected fewer: divide it into several"
            )
        yield number, cells


def _text(content: bytes) -> str:
    encoding, rest = next(
        ((name, content[len(bom) :]) for bom, name in _BOMS if content.startswith(bom)),
        ("utf-8", content),
    )
    try:
        text = rest.decode(encoding)
    except UnicodeDecodeError as error:
        line = rest[: error.start].count(b"\n") + 1
        raise bad_request(
            "file", f"line {line} is not {encoding.upper()}; expected CSV in UTF-8, or XLSX"
        ) from None
    if "\0" in text:
        raise bad_request("file", "holds binary data; expected CSV in UTF-8, or XLSX")
    return text


def _delimiter(text: str, *, of_texts: bool) -> str:
    """Return the delimiter of the first line's cells. Raises ApiError if it is ambiguous."""
    first = next((line for line in text.splitlines() if line.strip(' ,;\t"')), "")
    if not first:
        raise bad_request("file", "is empty; expected a line with the names of the columns first")
    candidates = [one for one in DELIMITERS if one in first]
    bare = re.sub(r'"[^"]*"', "", first)
    if of_texts and any(one in bare for one in candidates):
        return min((one for one in candidates if one in bare), key=bare.index)
    if len(candidates) != 1:
        names = " and ".join(DELIMITERS[one] for one in candidates) or "neither of them"
        raise bad_request(
            "file",
            f"the first line has {names}; expected the names of two columns or more, divided by"
            " comma, semicolon or tab",
        )
    return candidates[0]


def _of_text(text: str, delimiter: str) -> Iterator[TableRow]:
    # A quote that is never closed would swallow the rest: that exceeds the limit, and is refused.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise bad_request("file", f"line {before + 1}: {error}") from None
        if any(len(cell) > MAX_CELL for cell in cells):
            raise bad_request("file", f"line {before + 1}: a cell of over {MAX_CELL} characters")
        yield before + 1, cells[:MAX_COLUMNS]
        before = reader.line_num


def _of_workbook(content: bytes) -> Iterator[TableRow]:
    """Read the first sheet, row by row."""
    import openpyxl

    try:
        # zipfile returns no more of a part than its directory says, so this limits all of it.
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile as error:
        raise bad_request("file", f"is no workbook: {error}") from None
    if unpacked > MAX_UNPACKED:
        raise bad_request(
            "file", f"unpacks to {unpacked} bytes; expected at most {MAX_UNPACKED}, or CSV"
        )
    # About styles and forms that it drops.
    warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        # The size that a sheet claims may be wrong.
        sheet.reset_dimensions()
        rows = sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True)
        for number, cells in enumerate(rows, 1):
            if number > MAX_ROWS:
                raise bad_request("file", f"has over {MAX_ROWS} rows, most of them empty")
            yield number, cells
    except ApiError:
        raise
    # A damaged or hostile workbook may raise anything.
    except Exception as error:
        name = type(error).__name__
        raise bad_request(
            "file", f"cannot be read as XLSX ({name}); save it again, or as CSV"
        ) from error
