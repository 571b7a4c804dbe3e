"""The table of sites as CSV."""

from collections.abc import Callable

from services.api.stats import answers
from services.api.stats.answers import Cell
from services.api.stats.grammar.site_query import CHARTED
from services.api.stats.many.table import RankedSite, SitesTable
from services.api.stats.panels.contents import CsvFile
from services.model.site import Site


def csv_of(table: SitesTable, of: str, heading: Callable[[str], str]) -> CsvFile:
    """Return the rows found, with those of the days to compare with, if any.

    of  what the file name begins with
    """
    compared = table.scope.before is not None
    rows = [_row(row, compared=compared) for row in table.rows]
    name = f"{of}-{str(table.scope.span).replace(' ', '-')}.csv"
    return CsvFile(
        name, answers.table(rows, heading, _columns(compared=compared)), answers.csv_headers([])
    )


def _columns(*, compared: bool) -> list[str]:
    """Return the column names of `_row`, for a file without rows."""
    columns = ["rank", "site", "name"]
    for measure in CHARTED:
        columns.append(measure.value)
        if compared:
            columns += [f"{measure}_before", f"{measure}_change"]
    return [*columns, "silent_since"]


def _row(row: RankedSite, *, compared: bool) -> dict[str, Cell]:
    cells: dict[str, Cell] = {"rank": row.rank, "site": row.site.slug, "name": row.site.name}
    for measure in CHARTED:
        cells[measure.value] = row.numbers.value(measure)
        if compared:
            cells[f"{measure}_before"] = row.numbers.value_before(measure)
            cells[f"{measure}_change"] = row.numbers.change(measure)
    cells["silent_since"] = None if row.silent is None else _moment(row.silent, row.site)
    return cells


def _moment(at_ms: int, site: Site) -> str:
    """Return a time in the site's time zone, as its page shows it."""
    return site.local(at_ms).isoformat(timespec="seconds")
