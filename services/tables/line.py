"""What is read from an export: counts of a day, a period or a page, and the errors."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo

import msgspec

from services.model.calendar import Grain

MAX_COUNT = 10**12


class TableError(Exception):
    """An export that cannot be read; the message names the file, the line and what is expected."""


class LineError(TableError):
    """A line of an export that cannot be read."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"line {number}: {message}")


class TableRow(msgspec.Struct, frozen=True, gc=False):
    """A row as the other system stores it.

    table   name of the table in a dump, of the file in a zip; '' if there is only one
    values  by column name in lower case; NULL is ''
    number  its line in the file
    """

    table: str
    values: Mapping[str, str]
    number: int

    def text(self, *names: str) -> str:
        """Return the first of these columns that exists; '' if none does."""
        for name in names:
            if name in self.values:
                return self.values[name].strip()
        return ""

    def count(self, *names: str) -> int:
        """Return a count; 0 if there is no such column. Raises LineError."""
        text = self.text(*names)
        if not text:
            return 0
        if not (text.isascii() and text.isdigit() and int(text) <= MAX_COUNT):
            raise LineError(
                self.number, f"{_first(self, names)} is {text!r}; expected a number such as 1250"
            )
        return int(text)

    def day(self, *names: str) -> str:
        """Return a day such as 2025-07-20. Raises LineError."""
        text = self.text(*names)
        try:
            return date.fromisoformat(text[:10] if "-" in text else text).isoformat()
        except ValueError:
            raise LineError(
                self.number, f"{_first(self, names)} is {text!r}; expected a day such as 2025-07-20"
            ) from None

    def day_of_time(self, zone: tzinfo, *names: str) -> str:
        """Return the day, in a time zone, of an ISO 8601 time, UTC by default. Raises LineError."""
        text = self.text(*names)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise LineError(
                self.number,
                f"{_first(self, names)} is {text!r}; expected a time such as 2025-07-20 07:30:00",
            ) from None
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(zone).date().isoformat()

    def day_of_seconds(self, zone: tzinfo, name: str, less: int = 0) -> str:
        """Return the day in a time zone of a time in seconds since 1970, `less` some of them.

        Raises LineError.
        """
        try:
            at = datetime.fromtimestamp(self.count(name) - less, zone)
        except (ValueError, OverflowError, OSError):
            raise LineError(
                self.number, f"{name} is {self.text(name)!r}; expected seconds since 1970"
            ) from None
        return at.date().isoformat()


def _first(row: TableRow, names: tuple[str, ...]) -> str:
    return next((name for name in names if name in row.values), names[0])


class CountLine(msgspec.Struct, frozen=True, gc=False):
    """What another system counted.

    number  its line in the file
    grain   what it adds to; counts of a page add to its total
    start   2025-07-20, 2025-07 or 2025; '' for a total
    path    URL of a page; '' for the whole site
    """

    number: int
    grain: Grain = Grain.TOTAL
    start: str = ""
    path: str = ""
    visits: int = 0
    views: int = 0


class ReadOptions(msgspec.Struct, frozen=True):
    """How to read a file.

    zone      time zone of the portal's days
    address   pattern of a page's URL, with column names in braces: /tin-tuc/{alias}-{id}.html; ''
              for the URL in the export, if it has one
    left_out  why something was not read → how often; each format adds its reasons
    """

    zone: tzinfo
    address: str = ""
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
