"""Joomla: `hits` of its articles, and the tables of two visitor counters that portals use.

`#__content` and `#__categories` are in `installation/sql/mysql/base.sql` of
github.com/joomla/joomla-cms. `#__vvcounter_logs` belongs to Vinaora Visitors Counter
(`helpers/vinaora_visitors_counter.php`): a row per hour with the visits since the previous row,
including bots. `#__vvisitcounter`, of its first versions and of mod_vvisit_counter, has a row per
visit.
"""

import re
from collections.abc import Iterator

from services.model.calendar import Grain
from services.tables.file import TableFile
from services.tables.formats.format import Tables, address, has
from services.tables.line import CountLine, ReadOptions, TableRow

_ARTICLE = ("id", "alias", "catid", "hits")
_HOURS = ("time", "visits", "guests", "members", "bots")
_VISIT = ("id", "tm", "ip")
_VISITS = re.compile(r"(?:.*_)?vvisit_?counter")


class Joomla:
    """Its counters count visits, its articles count views."""

    name = "joomla"
    title = "Joomla: tables #__content, #__vvcounter_logs or #__vvisitcounter"

    def recognises(self, tables: Tables) -> bool:
        return any(map(_kind, tables, tables.values()))

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        kinds = {table: _kind(table, columns) for table, columns in file.tables().items()}
        categories = {
            table
            for table, columns in file.tables().items()
            if table.endswith("_categories") and has(columns, "id", "path")
        }
        paths: dict[str, str] = {}
        for row in file.rows(lambda table: bool(kinds.get(table)) or table in categories):
            if row.table in categories:
                paths[row.text("id")] = row.text("path")
            elif kinds[row.table] == "article":
                yield from _article(row, how, paths)
            elif kinds[row.table] == "hour":
                yield from _hour(row, how)
            else:
                yield CountLine(row.number, Grain.DAY, row.day_of_seconds(how.zone, "tm"), visits=1)


def _kind(table: str, columns: tuple[str, ...]) -> str:
    if has(columns, *_ARTICLE) and (not table or table.endswith(("_content", ".csv"))):
        return "article"
    if has(columns, *_HOURS):
        return "hour"
    named = not table or table.endswith(".csv") or _VISITS.fullmatch(table)
    return "visit" if named and has(columns, *_VISIT) else ""


def _hour(row: TableRow, how: ReadOptions) -> Iterator[CountLine]:
    visits, bots = row.count("visits"), row.count("bots")
    if bots:
        how.left_out["hours' visits of bots"] += bots
    # The row of midnight is for the hour that has just ended.
    day = row.day_of_seconds(how.zone, "time", less=1)
    if visits > bots:
        yield CountLine(row.number, Grain.DAY, day, visits=visits - bots)


def _article(row: TableRow, how: ReadOptions, paths: dict[str, str]) -> Iterator[CountLine]:
    hits = row.count("hits")
    if not hits:
        return
    if not how.address:
        how.left_out["articles, as --address does not say what their addresses are"] += 1
        return
    category = paths.get(row.text("catid"))
    more = {} if category is None else {"cat": category}
    yield CountLine(row.number, path=address(how.address, row, more), views=hits)
