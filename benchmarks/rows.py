"""What is asked of all rows of the panels: pages of them, by search and to the last one, as CSV."""

from collections.abc import Iterator

from services.api.stats.grammar.filters import OF_PATHS
from services.api.stats.panels.breakdowns import BREAKDOWNS
from services.api.stats.rows.question import ROWS_A_PAGE

PATH = "/admin/sites/portal/all"
PAGES = 2_500
"""So many different pages the hits of the benchmark have."""
PERIODS = {
    "a year": {"period": "year", "date": "2025-12-31"},
    "a month": {"period": "month", "date": "2025-12-31"},
}
SLOWEST = "slowest of all rows"
FILE = "CSV of all pages of a year"


def questions() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield what is asked, its path and its parameters: of each panel and period the same."""
    for period, when in PERIODS.items():
        for name, by in BREAKDOWNS.items():
            of_pages = by in OF_PATHS
            pages = {
                "first page": {},
                "search": {"search": "bai viet" if of_pages else "o", "sort": "name"},
                **({"last page": {"page": str(PAGES // ROWS_A_PAGE)}} if of_pages else {}),
            }
            for what, more in pages.items():
                yield f"all rows by {name} of {period}, {what}", f"{PATH}/{name}", {**when, **more}


def file() -> tuple[str, str, dict[str, str]]:
    """Return the question for a file of everything, which takes as long as it takes."""
    return FILE, f"{PATH}/page/csv", PERIODS["a year"]
