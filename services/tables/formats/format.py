"""The interface of an export's format: its name, how it is recognised, and how it is read."""

import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from services.tables.file import TableFile
from services.tables.line import CountLine, LineError, ReadOptions, TableRow

Tables = Mapping[str, tuple[str, ...]]

_FIELD = re.compile(r"\{(\w+)\}")


class TableFormat(Protocol):
    """One system, or one kind of export.

    name      as given to --format
    title     display name, with what such a file should contain
    """

    name: str
    title: str

    def recognises(self, tables: Tables) -> bool:
        """Tell whether tables with these names and columns belong to this system."""
        ...

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        """Yield what was counted. Raises TableError."""
        ...


def has(columns: tuple[str, ...], *names: str) -> bool:
    """Tell whether a table has all of these columns."""
    return set(names) <= set(columns)


def address(pattern: str, row: TableRow, more: Mapping[str, str]) -> str:
    """Return the URL of a page, from the columns of its row and what else is known about it.

    Raises LineError for an unknown name in the pattern.
    """
    known = {**row.values, **more}

    def value(found: re.Match[str]) -> str:
        name = found[1].lower()
        if name not in known:
            names = ", ".join(sorted(known))
            raise LineError(
                row.number, f"{found[0]} of the address {pattern!r} is not here; there are {names}"
            )
        return known[name]

    return _FIELD.sub(value, pattern)
