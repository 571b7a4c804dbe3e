"""Plausible's export: a zip with a CSV file for each kind of report.

The columns are those of `lib/plausible/exports.ex` in github.com/plausible/analytics:
`imported_visitors_<from>_<to>.csv` (date, visitors, pageviews, bounces, visits, visit_duration) and
`imported_pages_<from>_<to>.csv` (date, hostname, page, visits, visitors, pageviews, …).
"""

from collections.abc import Iterator

from services.model.calendar import Grain
from services.tables.file import TableFile
from services.tables.formats.format import Tables, has
from services.tables.line import CountLine, ReadOptions

_DAY = ("date", "visitors", "pageviews", "bounces", "visits")
_PAGE = ("date", "hostname", "page", "pageviews")


class Plausible:
    """Its visits end after 30 minutes, as ours do."""

    name = "plausible"
    title = "Plausible: the zip of its export, or imported_visitors or imported_pages of it"

    def recognises(self, tables: Tables) -> bool:
        return any(has(columns, *_DAY) or has(columns, *_PAGE) for columns in tables.values())

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        tables = file.tables()
        days = {table for table, columns in tables.items() if has(columns, *_DAY)}
        pages = {table for table, columns in tables.items() if has(columns, *_PAGE)}
        for row in file.rows((days | pages).__contains__):
            day, views = row.day("date"), row.count("pageviews")
            if row.table in days:
                visits = row.count("visits")
                yield CountLine(row.number, Grain.DAY, day, visits=visits, views=views)
            else:
                yield CountLine(row.number, path=row.text("page"), views=views)
