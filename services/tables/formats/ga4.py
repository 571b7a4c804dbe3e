"""Google Analytics 4: reports and explorations as CSV.

A file begins with notes: `# Pages and screens: …`, `# Start date: 20240101`, `# End date: …`. A
report may contain several tables; the one with the most columns is the report itself, the others
belong to its charts. Dates are written as 20240131 (support.google.com/analytics/answer/9317657).
"""

from collections.abc import Iterator

from services.model.calendar import Grain
from services.tables.file import TableFile
from services.tables.formats.format import Tables
from services.tables.line import CountLine, ReadOptions, TableError

_PAGE = (
    "page path and screen class",
    "page path + query string and screen class",
    "page path",
    "page path + query string",
)
_DAY = "date"


class GoogleAnalytics:
    """Its sessions end after 30 minutes; it omits rows below its threshold."""

    name = "ga4"
    title = "Google Analytics 4: a report or an exploration with Views by page path or by Date"

    def recognises(self, tables: Tables) -> bool:
        return bool(_fitting(tables))

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        fitting = _fitting(file.tables())
        widest = max(map(len, fitting.values()))
        tables = [table for table, columns in fitting.items() if len(columns) == widest]
        if len(tables) > 1:
            raise TableError("holds two tables of the same kind; expected one report")
        for row in file.rows(tables.__contains__):
            path, views = row.text(*_PAGE), row.count("views")
            if path and path != "(not set)":
                yield CountLine(row.number, path=path, views=views)
            elif path or not row.text(_DAY):
                how.left_out["rows without a page or day, such as totals"] += 1
            else:
                day, visits = row.day(_DAY), row.count("sessions")
                yield CountLine(row.number, Grain.DAY, day, visits=visits, views=views)


def _fitting(tables: Tables) -> dict[str, tuple[str, ...]]:
    return {
        table: columns
        for table, columns in tables.items()
        if "views" in columns and columns[0] in (*_PAGE, _DAY) and len(columns) > 1
        if set(columns) & set(_PAGE) or "sessions" in columns
    }
