"""Which rows of a panel are requested: the search, the order, and which page of them."""

from typing import NamedTuple

import msgspec

from services.api.counter.parameters import one_of
from services.api.stats.grammar.filters import MAX_LENGTH, Property
from services.api.stats.grammar.measures import Counts, Measure
from services.api.stats.grammar.query import MAX_PAGE, whole
from services.api.stats.panels.apart import NAMED
from services.api.stats.panels.breakdowns import measured_by
from services.api.stats.panels.contents import UncountedSpan
from services.api.stats.rows.search import MAX_SEARCH
from services.http.errors import bad_request, shown
from services.model.kept_apart import Apart

NAME = "name"
ROWS_A_PAGE = 100
ROOT = "/"
FROM_PAGE = "from_page"
NOT_KNOWN = "(not set)"
BELOW = "/*"
"""What the name of a section ends with."""


class RowsQuery(msgspec.Struct, frozen=True):
    """Rows of a panel.

    sort     a measure of the panel, or NAME
    rising   the lowest, or alphabetically first, first
    search   words contained in the name, in order; '' for all rows
    page     from 1
    limit    rows per page
    also     values that match, too, since their displayed text contains the words
    titled   the names of the sites whose page titles are searched, too
    section  pages below this path, such as `/tin-tuc/`, a folder as one row; None for single pages
    kind     rows of what is counted apart from views; None for views
    of       one row of a kind, to list the pages that led to it; '' for all rows
    """

    by: Property
    sort: str
    rising: bool = False
    search: str = ""
    page: int = 1
    limit: int = ROWS_A_PAGE
    section: str | None = None
    kind: Apart | None = None
    of: str = ""
    also: tuple[str, ...] = ()
    titled: tuple[str, ...] = ()

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The measures of each row."""
        return measured_by(self.by) if self.kind is None else (Measure(self.kind.value),)

    @property
    def column(self) -> str:
        """The count that the rows are sorted by."""
        return self.sort if self.kind is None else Measure.PAGEVIEWS.value

    @property
    def field(self) -> str:
        """What the rows are named by."""
        if self.kind is None:
            return self.by.field
        return FROM_PAGE if self.of else NAMED[self.kind]

    @property
    def unknown(self) -> str:
        """What a row without a name is called."""
        return self.by.unknown if self.kind is None else NOT_KNOWN


class AllRow(NamedTuple):
    """One row; `before` is what was counted on the days to compare with, None when unknown."""

    name: str
    counts: Counts
    before: Counts | None

    @property
    def is_section(self) -> bool:
        """Whether it stands for the pages of a folder."""
        return self.name.startswith(ROOT) and self.name.endswith(BELOW)


class AllRows(NamedTuple):
    """Rows of a panel, with remarks about them.

    has_more     whether another page follows
    measures     those that are known
    compared     those with a known change
    warnings     what is missing
    is_counters  whether pages come from their counters, since raw hits are gone
    is_gone      whether there are no rows because raw hits are gone
    uncounted    those of the days to compare with that were not counted
    """

    rows: list[AllRow]
    has_more: bool
    measures: tuple[Measure, ...]
    compared: tuple[Measure, ...]
    warnings: list[str]
    is_counters: bool = False
    is_gone: bool = False
    uncounted: UncountedSpan | None = None


def parse_rows(
    by: Property,
    *,
    sort: str,
    order: str,
    search: str,
    page: str,
    section: str | None = None,
    kind: Apart | None = None,
    of: str = "",
) -> RowsQuery:
    """Return which rows a request asks for. Raises ApiError, which names the parameter."""
    if len(of.encode()) > MAX_LENGTH:
        raise bad_request("of", f"expected at most {MAX_LENGTH} bytes")
    if of and kind in (None, Apart.DOWNLOADS):
        raise bad_request("of", f"{shown(of)}; pages that lead to it are not known")
    measures = RowsQuery(by, NAME, kind=kind).measures
    sort = one_of("sort", sort or measures[0].value, (*(one.value for one in measures), NAME))
    order = one_of("order", order or ("asc" if sort == NAME else "desc"), ("asc", "desc"))
    if len(search) > MAX_SEARCH:
        raise bad_request("search", f"{len(search)} characters; expected at most {MAX_SEARCH}")
    if section is not None:
        if by is not Property.PAGE or kind is not None:
            raise bad_request("section", f"{shown(section)}; only pages have sections")
        if not (section.startswith(ROOT) and section.endswith(ROOT)):
            raise bad_request("section", f"{shown(section)}; expected a path such as /tin-tuc/")
        if len(section.encode()) > MAX_LENGTH:
            raise bad_request("section", f"expected at most {MAX_LENGTH} bytes")
    number = whole("page", page or None, 1, MAX_PAGE)
    return RowsQuery(
        by,
        sort,
        order == "asc",
        search.strip(),
        number,
        section=section,
        kind=kind,
        of=of,
    )


def section_of(path: str, section: str) -> str:
    """Return the row below a section that a path belongs to."""
    folder, slash, _ = path.removeprefix(section).partition("/")
    return f"{section}{folder}{BELOW}" if path.startswith(section) and slash else path
