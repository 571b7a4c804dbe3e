"""Drupal: `node_counter` of its Statistics module.

The table is in `statistics.install` in Drupal core: nid, totalcount, daycount, timestamp. The path
of a node is /node/ and its number, unless the same dump has an alias: in `path_alias` (path, alias)
from Drupal 8.8 on, in `url_alias` (source, alias) before.
"""

import re
from collections.abc import Iterator

from services.tables.file import TableFile
from services.tables.formats.format import Tables, address, has
from services.tables.line import CountLine, LineError, ReadOptions
from services.tables.sums import MOST_PAGES

_COUNTER = ("nid", "totalcount", "daycount")
_NODE = re.compile(r"/?node/(\d+)")


class Drupal:
    """It counts views: a number for each node since that was created."""

    name = "drupal"
    title = "Drupal: table node_counter, and path_alias or url_alias for the addresses"

    def recognises(self, tables: Tables) -> bool:
        return any(has(columns, *_COUNTER) for columns in tables.values())

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        tables = file.tables()
        aliases = {
            table
            for table, columns in tables.items()
            if has(columns, "alias") and (has(columns, "path") or has(columns, "source"))
        }
        counters = {table for table, columns in tables.items() if has(columns, *_COUNTER)}
        named: dict[str, str] = {}
        # Aliases come after the counter in a dump.
        for row in file.rows(aliases.__contains__):
            found = _NODE.fullmatch(row.text("path", "source"))
            if found and row.text("status") != "0":
                named[found[1]] = "/" + row.text("alias").lstrip("/")
            if len(named) > MOST_PAGES:
                raise LineError(row.number, f"is of alias {MOST_PAGES + 1}; expected fewer")
        for row in file.rows(counters.__contains__):
            views, node = row.count("totalcount"), row.text("nid")
            if not views:
                continue
            if how.address:
                path = address(how.address, row, {})
            else:
                path = named.get(node, f"/node/{node}")
            yield CountLine(row.number, path=path, views=views)
