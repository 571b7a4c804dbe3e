"""Opens an export: CSV or a database dump, plain, compressed with gzip, or several in a zip."""

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from services.runtime.reasons import reason
from services.tables import separated
from services.tables.line import TableError, TableRow
from services.tables.sql import Dump

HEAD = 64 * 1024
MOST_FILES = 1000
FREE_BYTES = 64 * 1024 * 1024
MOST_TIMES = 200
"""How many times its size a compressed file may expand to, above FREE_BYTES. Dumps and CSV have 5
to 50; decompression bombs have a thousand."""

_DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError)
_STATEMENT = re.compile(
    r"^\s*(?:CREATE\s+TABLE|INSERT\s+(?:INTO\s+)?[`\[\"\w])", re.IGNORECASE | re.MULTILINE
)

Wanted = Callable[[str], bool]


class TableFile:
    """An export on disk; each call reads it from the beginning.

    name    as given
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._tables: dict[str, tuple[str, ...]] | None = None

    def tables(self) -> Mapping[str, tuple[str, ...]]:
        """Return the columns of every table with rows; empty if a table's columns are not named.

        Raises TableError.
        """
        if self._tables is None:
            found: dict[str, tuple[str, ...]] = {}
            for part, text in self._parts():
                with self.naming():
                    found |= _tables(part, text)
            self._tables = found
        return self._tables

    def rows(self, wanted: Wanted) -> Iterator[TableRow]:
        """Yield the rows of the wanted tables, in order. Raises TableError."""
        for part, text in self._parts():
            with self.naming():
                yield from _rows(part, text, wanted)

    def _parts(self) -> Iterator[tuple[str, "_Text"]]:
        """Yield name and text of each file in the export; the name is '' unless it is a zip."""
        with self.naming(), self._path.open("rb") as file:
            packed = self._path.stat().st_size
            magic = file.read(4)
            file.seek(0)
            if magic.startswith(b"PK\x03\x04"):
                yield from self._members(file, packed)
                return
            if magic.startswith(b"\x1f\x8b"):
                unpacked = _Bounded(cast("BinaryIO", gzip.GzipFile(fileobj=file)), packed)
                yield "", _text(cast("BinaryIO", unpacked))
            else:
                yield "", _text(file)

    def _members(self, file: BinaryIO, packed: int) -> Iterator[tuple[str, "_Text"]]:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if any(member.filename.startswith("xl/") for member in members):
                raise TableError("is a spreadsheet; expected it saved as CSV")
            if len(members) > MOST_FILES:
                raise TableError(f"holds {len(members)} files; expected at most {MOST_FILES}")
            read = 0
            for member in members:
                if not member.filename.lower().endswith((".csv", ".sql", ".tsv")):
                    continue
                if member.flag_bits & 1:
                    raise TableError(f"{member.filename} in it is encrypted")
                with archive.open(member) as opened:
                    bounded = _Bounded(cast("BinaryIO", opened), packed, read)
                    yield member.filename.rpartition("/")[2], _text(cast("BinaryIO", bounded))
                    read = bounded.count

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Name the file in errors, and turn errors of a damaged file into TableError."""
        try:
            yield
        except TableError as error:
            text = str(error)
            raise TableError(
                text if text.startswith(self.name) else f"{self.name}, {text}"
            ) from None
        except _DAMAGED as error:
            raise TableError(f"{self.name} cannot be read: {reason(error)}") from None


def _tables(part: str, text: "_Text") -> dict[str, tuple[str, ...]]:
    if _is_dump(text):
        dump = Dump(text)
        for _ in dump.rows(lambda _: False):
            pass
        return {table: dump.columns.get(table, ()) for table in dump.inserted}
    rows = separated.read(part, text)
    return {row.table: row.columns for row in rows if isinstance(row, separated.Section)}


def _rows(part: str, text: "_Text", wanted: Wanted) -> Iterator[TableRow]:
    if _is_dump(text):
        yield from Dump(text).rows(wanted)
        return
    for row in separated.read(part, text):
        if isinstance(row, TableRow) and wanted(row.table):
            yield row


def _is_dump(text: "_Text") -> bool:
    head = text.head
    return head.startswith(("--", "/*", "USE [")) or _STATEMENT.search(head) is not None


def _text(file: BinaryIO) -> "_Text":
    """Return a file as text, decoded as UTF-8, or as UTF-16 if it has such a byte order mark."""
    buffered = io.BufferedReader(cast("io.RawIOBase", file), HEAD)
    encoding = "utf-16" if buffered.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return _Text(buffered, encoding)


class _Text(io.TextIOWrapper):
    """A text whose beginning is available before it is read; invalid bytes become U+FFFD."""

    def __init__(self, buffered: "io.BufferedReader[io.RawIOBase]", encoding: str) -> None:
        self.head = buffered.peek(HEAD)[:HEAD].decode(encoding, "replace").lstrip("\ufeff")
        super().__init__(cast("BinaryIO", buffered), encoding, errors="replace", newline="")


class _Bounded(io.RawIOBase):
    """A compressed file whose content is limited in size."""

    def __init__(self, file: BinaryIO, packed: int, count: int = 0) -> None:
        self._file = file
        self._most = max(FREE_BYTES, packed * MOST_TIMES)
        self.count = count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        self.count += len(data)
        if self.count > self._most:
            raise TableError(
                f"is more than {self._most} bytes unpacked, {MOST_TIMES} times its size:"
                " expected an export of a counter"
            )
        buffer[: len(data)] = data
        return len(data)
