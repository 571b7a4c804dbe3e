"""Reads the rows of CSV files, with the sections and notes that some exports have."""

import csv
from collections.abc import Iterator
from typing import NamedTuple, TextIO

from services.tables.line import LineError, TableRow

MAX_LINE = 1024 * 1024
SEPARATORS = ",;\t"


class Section(NamedTuple):
    """A table of a CSV file: its name, and the names of its columns in lower case."""

    table: str
    columns: tuple[str, ...]


def read(name: str, text: TextIO) -> Iterator[Section | TableRow]:
    """Yield each section of a file, followed by its rows. Raises LineError.

    The first section is the table `name`; the names of later ones end in the line number of their
    column names. In a file that begins with a note, which is a line that begins with #, a note or
    an empty line ends a section.
    """
    lines = _Lines(text)
    noted = lines.ahead.startswith("#")
    section: Section | None = None
    sections = 0
    rows = csv.reader(lines, delimiter=_separator(lines.ahead), strict=True)
    while True:
        number = lines.number + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise LineError(number, f"is no line of CSV: {error}") from None
        if noted and (not cells or cells[0].startswith("#")):
            section = None
        elif not any(cells):
            continue
        elif section is None:
            table = f"{name}#{number}" if sections else name
            section = Section(table, tuple(cell.strip().lower() for cell in cells))
            twice = [name for name in section.columns if section.columns.count(name) > 1]
            if twice:
                raise LineError(number, f"names the column {twice[0]!r} twice; expected it once")
            sections += 1
            yield section
        elif len(cells) != len(section.columns):
            raise LineError(
                number, f"{len(cells)} fields; expected {len(section.columns)}, as the columns are"
            )
        else:
            values = dict(zip(section.columns, cells, strict=True))
            yield TableRow(section.table, values, number)


def _separator(first: str) -> str:
    """Return the separator: the most frequent one in the first line, a comma by default."""
    return "," if first.startswith("#") else max(SEPARATORS, key=first.count)


class _Lines(Iterator[str]):
    """The lines of a file, limited in length; `ahead` is the first one."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.number = 0
        self.ahead = self._read()

    def __next__(self) -> str:
        line = self.ahead if self.number == 0 else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        return line.replace("\0", "")

    def _read(self) -> str:
        line = self._text.readline(MAX_LINE)
        if len(line) == MAX_LINE and not line.endswith("\n"):
            raise LineError(self.number + 1, f"is longer than {MAX_LINE} characters")
        return line
