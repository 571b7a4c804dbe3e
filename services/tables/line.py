"""What is read from an export: counts of a day, a period or a page, and what is wrong with one."""

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
    """A row as the other system keeps it.

    table   name of the table in a dump, of the file in a zip, '' where there is only one
    values  by the names of columns, in lower case; NULL is ''
    number  line of the file in which it stands
    """

    table: str
    values: Mapping[str, str]
    number: int

    def text(self, *names: str) -> str:
        """Return the first column of these names that there is; '' without any."""
        for name in names:
            if name in self.values:
                return self.values[name].strip()
        return ""

    def count(self, *names: str) -> int:
        """Return a count; 0 where there is no such column. Raises LineError."""
        text = self.text(*names)
        if not text:
            return 0
        if not (text.isascii() and text.isdigit() and int(text) <= MAX_COUNT):
            raise LineError(
                self.number, f"{_first(self, names)} is {text!r}; expected a number such as 1250"
            )
        return int(text)

    def day(self, *names: str) -> str:
        """Return a day as 2025-07-20. Raises LineError."""
        text = self.text(*names)
        try:
            return date.fromisoformat(text[:10] if "-" in text else text).isoformat()
        except ValueError:
            raise LineError(
                self.number, f"{_first(self, names)} is {text!r}; expected a day such as 2025-07-20"
            ) from None

    def day_of_time(self, zone: tzinfo, *names: str) -> str:
        """Return the day, in a time zone, of a time in ISO 8601, which is UTC. Raises LineError."""
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
        """Return the day, in a time zone, of a time in seconds since 1970. Raises LineError."""
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

    number  line of the file it was read from
    grain   what it adds to; a page's counts are of its total
    start   2025-07-20, 2025-07 or 2025; '' of a total
    path    address of a page, '' of the whole site
    """

    number: int
    grain: Grain = Grain.TOTAL
    start: str = ""
    path: str = ""
    visits: int = 0
    views: int = 0


class ReadOptions(msgspec.Struct, frozen=True):
    """How a file is to be read.

    zone      in which the portal's days begin
    address   of a page, with names of columns in braces: /tin-tuc/{alias}-{id}.html; '' for the
              one that the system itself names, if it does
    left_out  what is not read, and how often: each format adds its reasons
    """

    zone: tzinfo
    address: str = ""
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
