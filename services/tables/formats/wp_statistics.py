"""WP Statistics, the plugin of WordPress.

The tables are those of `includes/class-wp-statistics-install.php` in
github.com/wp-statistics/wp-statistics: `statistics_visit` (last_counter, visit: views of a day),
`statistics_visitor` (a row for each visitor and day), `statistics_summary_totals` (date, visitors,
views) from version 14.13 on, `statistics_pages` (uri, date, count) and `statistics_historical`
(what was purged).
"""

from collections.abc import Iterator

from services.model.calendar import Grain
from services.tables.file import TableFile
from services.tables.formats.format import Tables, has
from services.tables.line import CountLine, ReadOptions

_VIEWS = ("last_counter", "visit")
_VISITOR = ("last_counter", "agent")
_SUMMARY = ("date", "visitors", "views")
_PAGE = ("uri", "type", "date", "count")
_PURGED = ("category", "page_id", "uri", "value")


class WpStatistics:
    """What it calls visits are views; its visitors, each once a day, are closest to visits."""

    name = "wp-statistics"
    title = "WP Statistics: tables wp_statistics_visit, _visitor, _summary_totals and _pages"

    def recognises(self, tables: Tables) -> bool:
        return any(_kind(columns) for columns in tables.values())

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        kinds = {table: _kind(columns) for table, columns in file.tables().items()}
        single: dict[str, CountLine] = {}
        summary: dict[str, CountLine] = {}
        for row in file.rows(lambda table: bool(kinds.get(table))):
            kind = kinds[row.table]
            if kind == "page":
                yield CountLine(row.number, path=row.text("uri"), views=row.count("count"))
            elif kind == "purged":
                if row.text("category") == "uri":
                    yield CountLine(row.number, path=row.text("uri"), views=row.count("value"))
                else:
                    how.left_out["sums of purged days"] += 1
            elif kind == "summary":
                day = row.day("date")
                visits, views = row.count("visitors"), row.count("views")
                summary[day] = CountLine(row.number, Grain.DAY, day, visits=visits, views=views)
            else:
                day = row.day("last_counter")
                before = single.get(day) or CountLine(row.number, Grain.DAY, day)
                visits = before.visits + (kind == "visitor")
                views = before.views + (row.count("visit") if kind == "views" else 0)
                single[day] = CountLine(row.number, Grain.DAY, day, visits=visits, views=views)
        # Both count the same days; the plugin itself relies on the summary.
        yield from (single | summary).values()


def _kind(columns: tuple[str, ...]) -> str:
    known = {
        "page": _PAGE,
        "purged": _PURGED,
        "summary": _SUMMARY,
        "visitor": _VISITOR,
        "views": _VIEWS,
    }
    return next((kind for kind, names in known.items() if has(columns, *names)), "")
