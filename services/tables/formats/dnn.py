"""DNN (DotNetNuke): its site log, and the articles of two news modules.

`SiteLog` (DateTime, PortalId, Url, UserAgent, TabId) is in the schema of DNN up to version 8
(`Website/Providers/DataProviders/SqlDataProvider/` in github.com/dnnsoftware/Dnn.Platform).
Articles have `NumberOfViews` beside `ArticleID` in the tables of Ventrian News Articles
(`DnnForge_NewsArticles_Article`) and EasyDNNnews (`EasyDNNNews`).
"""

from collections.abc import Iterator
from datetime import datetime

from services.enrich.bots import Bots
from services.model.calendar import Grain
from services.tables.file import TableFile
from services.tables.formats.format import Tables, address, has
from services.tables.line import CountLine, LineError, ReadOptions, TableRow

_LOG = ("datetime", "portalid", "url", "useragent", "tabid")
_ARTICLE = ("articleid", "numberofviews")


class Dnn:
    """The log has a row for each view; articles count views."""

    name = "dnn"
    title = "DNN: table SiteLog, DnnForge_NewsArticles_Article or EasyDNNNews"

    def recognises(self, tables: Tables) -> bool:
        return any(has(columns, *_LOG) or has(columns, *_ARTICLE) for columns in tables.values())

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        tables = file.tables()
        articles = {table for table, columns in tables.items() if has(columns, *_ARTICLE)}
        logs = {table for table, columns in tables.items() if has(columns, *_LOG)}
        bots = Bots()
        portals = set[str]()
        for row in file.rows((articles | logs).__contains__):
            if row.table in articles:
                yield from _article(row, how)
                continue
            portals.add(row.text("portalid"))
            if len(portals) > 1:
                raise LineError(
                    row.number,
                    f"is of portal {row.text('portalid')}, those before of another one; expected"
                    " the rows of one portal",
                )
            if bots.is_bot(row.text("useragent")):
                how.left_out["views of bots"] += 1
            else:
                yield CountLine(row.number, Grain.DAY, _day(row), views=1)


def _article(row: TableRow, how: ReadOptions) -> Iterator[CountLine]:
    views = row.count("numberofviews")
    if not views:
        return
    if not how.address:
        how.left_out["articles, as --address does not say what their addresses are"] += 1
        return
    yield CountLine(row.number, path=address(how.address, row, {}), views=views)


def _day(row: TableRow) -> str:
    """Return the day of a row, by the server's local time. Raises LineError."""
    text = row.text("datetime")
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        raise LineError(
            row.number, f"datetime is {text!r}; expected a time such as 2016-07-20 07:30:00"
        ) from None
