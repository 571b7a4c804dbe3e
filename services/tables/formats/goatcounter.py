"""GoatCounter's CSV export: a row for each page view.

The columns are those of goatcounter.com/help/export, version 2, as the first column's name begins
with the version: 2Path, Title, Event, UserAgent, Browser, System, Session, Bot, Referrer, …,
FirstVisit, Date. Date is in UTC.
"""

import re
from collections.abc import Iterator

from services.model.calendar import Grain
from services.tables.file import TableFile
from services.tables.formats.format import Tables, has
from services.tables.line import CountLine, LineError, ReadOptions

_VERSIONED = re.compile(r"\d+,?path")
_COLUMNS = ("event", "session", "bot", "firstvisit", "date")


class GoatCounter:
    """The first view of a session, which lasts eight hours at most, counts as a visit."""

    name = "goatcounter"
    title = "GoatCounter: its CSV export, of version 2"

    def recognises(self, tables: Tables) -> bool:
        columns = tables.get("", ("",))
        return bool(_VERSIONED.match(columns[0])) and has(columns, *_COLUMNS)

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        for row in file.rows(lambda _: True):
            if "2path" not in row.values:
                raise LineError(1, "is of another version of the export; expected 2Path")
            day = row.day_of_time(how.zone, "date")
            if row.text("event") in ("true", "1"):
                how.left_out["events"] += 1
            elif row.text("bot") not in ("", "0"):
                how.left_out["views of bots"] += 1
            else:
                first = row.text("firstvisit") in ("true", "1")
                yield CountLine(row.number, Grain.DAY, day, visits=int(first), views=1)
                yield CountLine(row.number, path=row.text("2path"), views=1)
