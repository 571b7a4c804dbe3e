"""Matomo's reports as CSV: visits by day, and pages.

The columns are those of its reporting API (developer.matomo.org/api-reference/reporting-api):
`API.get` and `VisitsSummary.get` by day have date and nb_visits, the former also nb_pageviews;
`Actions.getPageUrls` with flat=1 has label, nb_visits, nb_hits and the URL as `url` or
`metadata_url`. The columns of a report may also have their English display names.
"""

from collections.abc import Iterator

from services.model.calendar import Grain
from services.tables.file import TableFile
from services.tables.formats.format import Tables, has
from services.tables.line import CountLine, ReadOptions

_ADDRESS = ("metadata_url", "metadata: url", "url", "label", "page url")
_VIEWS = ("nb_hits", "pageviews")


class Matomo:
    """Its visits end after 30 minutes, like ours. Its actions include downloads, not just views."""

    name = "matomo"
    title = "Matomo: API.get or VisitsSummary.get by day, or Actions.getPageUrls, as CSV"

    def recognises(self, tables: Tables) -> bool:
        columns = tables.get("", ())
        return has(columns, "date", "nb_visits") or _is_pages(columns)

    def read(self, file: TableFile, how: ReadOptions) -> Iterator[CountLine]:
        pages = _is_pages(file.tables()[""])
        for row in file.rows(lambda _: True):
            if pages:
                path = row.text(*_ADDRESS)
                if path.lower() in ("", "others"):
                    how.left_out["rows without an address"] += 1
                else:
                    yield CountLine(row.number, path=path, views=row.count(*_VIEWS))
                continue
            if "nb_pageviews" not in row.values:
                how.left_out["days' views: only API.get has nb_pageviews"] += 1
            visits, views = row.count("nb_visits"), row.count("nb_pageviews")
            yield CountLine(row.number, Grain.DAY, row.day("date"), visits=visits, views=views)


def _is_pages(columns: tuple[str, ...]) -> bool:
    raw = has(columns, "label", "nb_hits", "nb_visits")
    return raw or has(columns, "page url", "pageviews", "unique pageviews")
