"""Umami's CSV export: a row for each event.

It has most columns of the table `website_event` (`db/clickhouse/schema.sql` in
github.com/umami-software/umami). An event of type 1 is a page view; created_at is in UTC.
"""

from collections.abc import Iterator
from hashlib import blake2b

from services.model.calendar import Grain
from services.tables.file import TableFile
from services.tables.formats.format import Tables, has
from services.tables.line import CountLine, LineError, ReadOptions

_COLUMNS = ("session_id", "url_path", "event_type", "created_at")
MOST_VISITS = 5_000_000
"""The visits seen are kept in memory, at some 60 bytes each."""


class Umami:
    """Visits have ids; in exports without them, a session on one day is a visit."""

    name = "umami"
    title = "Umami: website_event of its export"

    def recognises(self, tables: Tables) -> bool:
        return any(has(columns, *_COLUMNS) for columns in tables.values())

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        events = {table for table, columns in file.tables().items() if has(columns, *_COLUMNS)}
        seen: set[bytes] = set()
        sites: set[str] = set()
        for row in file.rows(events.__contains__):
            sites.add(row.text("website_id"))
            if len(sites) > 1:
                raise LineError(row.number, "is of another website_id; expected those of one site")
            day = row.day_of_time(how.zone, "created_at")
            if row.text("event_type") != "1":
                how.left_out["events that are no page views"] += 1
                continue
            visit = row.text("visit_id") or f"{row.text('session_id')} {day}"
            digest = blake2b(visit.encode(), digest_size=8).digest()
            begins = digest not in seen
            seen.add(digest)
            if len(seen) > MOST_VISITS:
                raise LineError(
                    row.number, f"begins visit {MOST_VISITS + 1}; export a shorter time at once"
                )
            yield CountLine(row.number, Grain.DAY, day, visits=int(begins), views=1)
            yield CountLine(row.number, path=row.text("url_path"), views=1)
