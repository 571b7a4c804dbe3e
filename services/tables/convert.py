"""Turns an export into sums: opens, recognises, reads and adds up."""

from pathlib import Path

from services.tables.file import TableFile
from services.tables.formats.format import TableFormat
from services.tables.formats.known import recognised
from services.tables.line import ReadOptions
from services.tables.sums import Sums, add_up


def convert(path: Path, name: str, how: ReadOptions) -> tuple[TableFormat, Sums]:
    """Return the format of an export, and its sums.

    name  of the format; '' to recognise it

    What was left out is added to `how.left_out`. Raises TableError, which names the file.
    """
    export = TableFile(path)
    known = recognised(export, name)
    with export.naming():
        return known, add_up(known.read(export, how), how.left_out)
