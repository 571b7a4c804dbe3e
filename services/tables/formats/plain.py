"""Simple lists of numbers: `path,views`, or `day,visits,views`.

These two are what `luot convert` itself writes. A list of pages may also have days, as in
`path,views,date`; these are added up.
"""

from collections.abc import Iterator

from services.model.calendar import Grain
from services.tables.file import TableFile
from services.tables.formats.format import Tables, has
from services.tables.line import CountLine, ReadOptions

_PATH = ("path", "url", "address")
_DAY = ("day", "date")
_KNOWN = {*_PATH, *_DAY, "views", "visits"}


class PlainList:
    """A CSV file with these column names, and no other columns."""

    name = "plain"
    title = "CSV with the columns path,views[,date] or day,visits,views"

    def recognises(self, tables: Tables) -> bool:
        columns = tables.get("", ())
        if len(tables) != 1 or not set(columns) <= _KNOWN:
            return False
        pages = any(has(columns, name, "views") for name in _PATH)
        return pages or any(
            has(columns, name, measure) for name in _DAY for measure in ("visits", "views")
        )

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        for row in file.rows(lambda _: True):
            views, visits = row.count("views"), row.count("visits")
            path = row.text(*_PATH)
            day = row.day(*_DAY) if any(name in row.values for name in _DAY) else ""
            if path:
                yield CountLine(row.number, path=path, views=views, visits=visits)
            elif any(name in row.values for name in _PATH):
                how.left_out["rows without a path"] += 1
            else:
                yield CountLine(row.number, Grain.DAY, day, visits=visits, views=views)
