"""NukeViet: the table `nv4_counter`, and `hitstotal` of the articles of its news modules.

The tables are in `install/` of github.com/nukeviet/nukeviet: `<prefix>_counter` with c_type, c_val,
last_update and c_count, `<prefix>_<language>_<module>_rows` and `…_cat`. Counter rows of days and
months are reused in the next month or year, and keep the time of their last count; that time, not
the file's, shows which month or year a number belongs to.
"""

import re
from collections.abc import Iterator
from datetime import date

from services.model.calendar import Grain
from services.tables.file import TableFile
from services.tables.formats.format import Tables, address, has
from services.tables.line import CountLine, LineError, ReadOptions, TableRow

_COUNTER = ("c_type", "c_val", "last_update", "c_count")
_NEWS = re.compile(r"(?:.*_)?(?P<lang>[a-z]{2})_(?P<module>\w+?)_(?P<kind>rows|cat)")
_ARTICLE = ("id", "alias", "hitstotal")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class NukeViet:
    """Its counter counts visits, its articles count views."""

    name = "nukeviet"
    title = "NukeViet: tables nv4_counter and nv4_vi_news_rows, as a dump or each as CSV"

    def recognises(self, tables: Tables) -> bool:
        return any(
            has(columns, *_COUNTER) or (has(columns, *_ARTICLE) and _is_news(table))
            for table, columns in tables.items()
        )

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        tables = file.tables()
        counters = {table for table in tables if has(tables[table], *_COUNTER)}
        articles = {table for table in tables if has(tables[table], *_ARTICLE) and _is_news(table)}
        categories = {
            table for table in tables if table.endswith("_cat") and has(tables[table], "catid")
        }
        if len(counters) > 1:
            raise LineError(1, f"several tables of a counter: {', '.join(sorted(counters))}")
        read = counters | categories | articles
        names: dict[tuple[str, str], str] = {}
        for row in file.rows(read.__contains__):
            if row.table in counters:
                yield from _counted(row, how)
            elif row.table in categories:
                module = row.table.removesuffix("_cat")
                names[module, row.text("catid")] = row.text("alias")
            elif row.count("hitstotal"):
                yield from _article(row, how, names)


def _is_news(table: str) -> bool:
    """Tell whether a table may hold articles; `nv4_vi_news_1` holds copies, a CSV has no name."""
    return not table or _NEWS.fullmatch(table) is not None or table.endswith(".csv")


def _article(
    row: TableRow, how: ReadOptions, names: dict[tuple[str, str], str]
) -> Iterator[CountLine]:
    if not how.address:
        how.left_out["articles, as --address does not say what their addresses are"] += 1
        return
    more: dict[str, str] = {}
    if found := _NEWS.fullmatch(row.table):
        more = {"lang": found["lang"], "module": found["module"]}
    name = names.get((row.table.removesuffix("_rows"), row.text("catid")))
    if name is not None:
        more["cat"] = name
    path = address(how.address, row, more)
    yield CountLine(row.number, path=path, views=row.count("hitstotal"))


def _counted(row: TableRow, how: ReadOptions) -> Iterator[CountLine]:
    kind, value, count = row.text("c_type"), row.text("c_val"), row.count("c_count")
    if kind not in ("total", "year", "month", "day"):
        if kind != "c_time" and count:
            how.left_out[f"counts by {kind}"] += 1
        return
    if not count:
        return
    if kind == "total":
        yield CountLine(row.number, Grain.TOTAL, visits=count)
        return
    if kind == "year":
        if not re.fullmatch(r"[12]\d{3}", value):
            raise LineError(row.number, f"c_val is {value!r}; expected a year such as 2025")
        yield CountLine(row.number, Grain.YEAR, value, visits=count)
        return
    last = date.fromisoformat(row.day_of_seconds(how.zone, "last_update"))
    if kind == "month":
        if value.lower()[:3] not in _MONTHS:
            raise LineError(row.number, f"c_val is {value!r}; expected a month such as Jan")
        fits = last.month == _MONTHS.index(value.lower()[:3]) + 1
        start = f"{last:%Y-%m}"
    else:
        if not (value.isdigit() and 1 <= int(value) <= 31):
            raise LineError(row.number, f"c_val is {value!r}; expected a day such as 01")
        fits, start = last.day == int(value), last.isoformat()
    if fits:
        yield CountLine(row.number, Grain(kind), start, visits=count)
    else:
        how.left_out[
            f"{kind}s whose last count is of another {kind}: is the time zone the portal's?"
        ] += 1
