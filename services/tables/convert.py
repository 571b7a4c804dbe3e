"""From an export to sums: opened, recognised, read and added up."""

from pathlib import Path

from services.tables.file import TableFile
from services.tables.formats.format import TableFormat
from services.tables.formats.known import recognised
from services.tables.line import ReadOptions
from services.tables.sums import Sums, add_up


def convert(path: Path, name: str, how: ReadOptions) -> tuple[TableFormat, Sums]:
    """Return the format of an export and what it holds.

    name  of the format, '' for the one that is recognised

    What was left out is in `how.left_out`. Raises TableError, which names the file.
    """
    export = TableFile(path)
    known = recognised(export, name)
    with export.naming():
        return known, add_up(known.read(export, how), how.left_out)
