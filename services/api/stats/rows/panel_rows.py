"""All rows of the panels of a site, for its page and as CSV: `SitePanels.rows`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

import msgspec

from services.api.stats import answers
from services.api.stats.grammar.filters import OF_PATHS, Filter, Property
from services.api.stats.grammar.measures import Value, change
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.grammar.site_query import Scope
from services.api.stats.panels import apart
from services.api.stats.panels.apart import question_of_kind
from services.api.stats.panels.breakdowns import BREAKDOWNS, filtered_by, question_of
from services.api.stats.panels.contents import Figure, KeptHits
from services.api.stats.panels.kept import kept_of
from services.api.stats.periods.opening import Opening
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import HitsGoneError
from services.api.stats.rows import reading
from services.api.stats.rows.question import AllRow, AllRows, RowsQuery, parse_rows
from services.api.stats.rows.search import finds
from services.http.errors import ApiError, bad_request, shown
from services.model.site import Site

CSV_ROWS_AT_ONCE = 20_000
"""How many rows are in memory while a file is sent."""
CSV_PARTS = 50
"""A file ends after this many parts of CSV_ROWS_AT_ONCE."""

TitlesOf = Callable[[Sequence[str]], Awaitable[dict[str, str]]]


class PanelRows:
    """Reads the rows of a panel, with the period and the filters of the site's page."""

    def __init__(
        self, reader: StatsReader, site: Site, scope: Scope, *, is_public: bool = False
    ) -> None:
        """`is_public` is that of SitePanels."""
        self._reader = reader
        self._site = site
        self._scope = scope
        self._is_public = is_public

    def parse(
        self, panel: str, asked: Callable[[str], str], names: Mapping[str, str] | None = None
    ) -> RowsQuery:
        """Return which rows are requested by the query parameters.

        asked  returns a parameter, '' when there is none
        names  the displayed text of values, where it differs

        Raises ApiError: 404 for no panel, 400 for what else is wrong.
        """
        kind = apart.PANELS[panel] if panel in self._apart else None
        of = asked("of")
        by = panel_of(panel) if kind is None else by_of(of)
        rows = parse_rows(
            by,
            sort=asked("sort"),
            order=asked("order"),
            search=asked("search"),
            page=asked("page"),
            section=asked("section") or None,
            kind=kind,
            of=of,
        )
        if not rows.search:
            return rows
        also = [value for value, name in (names or {}).items() if finds(rows.search, name)]
        parts = self._reader.parts(self._site) if rows.kind is None and rows.by in OF_PATHS else ()
        titled = tuple(part.kept_as for part in parts)
        return msgspec.structs.replace(rows, also=tuple(also), titled=titled)

    @property
    def panels(self) -> tuple[str, ...]:
        """Return the names of all panels that have rows."""
        return (*BREAKDOWNS, *self._apart)

    @property
    def _apart(self) -> tuple[str, ...]:
        return apart.shown_to(is_public=self._is_public)

    def narrowed(self, rows: RowsQuery, value: str) -> str:
        """Return the filters of the page, narrowed to the row with a name."""
        by = filtered_by(rows.by) if rows.kind is None else Property.PAGE
        return self._scope.narrowed(Filter(by, ((value,),)))

    def below(self, rows: RowsQuery, section: str) -> str:
        """Return the filters of the page, narrowed to the pages below a path."""
        return self._scope.narrowed(Filter(rows.by, ((section, ""),)))

    @staticmethod
    def figures(row: AllRow, found: AllRows) -> list[Figure]:
        """Return the numbers of a row, each with its change if known."""
        return [
            Figure(
                measure,
                now := row.counts.value(measure),
                change(measure, now, row.before.value(measure))
                if measure in found.compared and row.before is not None
                else None,
            )
            for measure in found.measures
        ]

    async def read(self, rows: RowsQuery) -> AllRows:
        """Return the rows of a page, none when their raw hits are gone. Raises ApiError."""
        try:
            return await self._read(self._question(rows), rows)
        except HitsGoneError:
            return AllRows([], False, rows.measures, (), [], is_gone=True)

    async def _read(self, question: StatsQuery, rows: RowsQuery) -> AllRows:
        scope = self._scope
        return await reading.read(self._reader, question, rows, scope.before, scope.until_ms)

    async def kept(self, rows: RowsQuery) -> KeptHits:
        """Return what is kept of the raw hits that rows are read from. Raises ApiError."""
        return await kept_of(self._reader, self._question(rows))

    async def csv(
        self, rows: RowsQuery, heading: Callable[[str], str], titles: TitlesOf | None = None
    ) -> tuple[str, AsyncIterator[str], Mapping[str, str]]:
        """Return a file of all rows: its name, its text in parts, and the headers of its response.

        heading  returns the heading of a column
        titles   returns the titles of pages; None when the values are not pages
        """
        question = self._question(rows)
        days = question.span.with_those(self._scope.before or question.span)
        with_opening = question.opening is not Opening.EXCLUDE
        moment = await self._reader.snapshot(question.site, days, with_opening=with_opening)
        question = question.as_of(moment)
        part = msgspec.structs.replace(rows, page=1, limit=CSV_ROWS_AT_ONCE)
        first = await self._read(question, part)

        async def titled(found: AllRows) -> dict[str, str]:
            return await titles([row.name for row in found.rows]) if titles is not None else {}

        of_first = await titled(first)

        async def texts() -> AsyncIterator[str]:
            result, of_part, known = first, part, of_first
            while True:
                cells = (_cells(row, rows, result) for row in result.rows)
                lines = answers.table(
                    [
                        # The first part decides whether every line has the column, or none.
                        answers.with_title(one, rows.by.field, known) if of_first else one
                        for one in cells
                    ],
                    heading,
                    _columns(rows, result),
                )
                # Only the first part has the headings.
                yield lines if of_part.page == 1 else lines.partition("\r\n")[2]
                if not result.has_more or of_part.page == CSV_PARTS:
                    return
                of_part = msgspec.structs.replace(of_part, page=of_part.page + 1)
                result = await self._read(question, of_part)
                known = await titled(result) if of_first else {}

        days_of_file = str(self._scope.span).replace(" ", "-")
        of = rows.field if rows.kind is None else rows.kind.value
        name = f"{self._site.slug}-{of}-{days_of_file}.csv"
        return name, texts(), answers.csv_headers(first.warnings)

    def _question(self, rows: RowsQuery) -> StatsQuery:
        if rows.kind is not None:
            site, scope = self._site, self._scope
            question = question_of_kind(
                self._reader, site, scope, rows.kind, is_public=self._is_public
            )
            filters = (Filter(Property.PAGE, ((rows.of,),)),) if rows.of else question.filters
            return msgspec.structs.replace(question, filters=filters)
        question = question_of(self._site, self._scope, rows.measures)
        return (
            question.of_shown_pages(rows.by, self._reader.parts(question.site))
            if self._is_public
            else question
        )


def panel_of(name: str) -> Property:
    """Return what a panel breaks the traffic down by. Raises ApiError, 404 for an unknown one."""
    if name not in BREAKDOWNS:
        refusal = bad_request("panel", f"{shown(name)}; expected one of {', '.join(BREAKDOWNS)}")
        raise ApiError(HTTPStatus.NOT_FOUND, refusal.errors)
    return BREAKDOWNS[name]


def by_of(of: str) -> Property:
    """Return what names the rows of things counted apart: themselves, or pages that led to one."""
    return Property.REFERRER if of else Property.PAGE


def _columns(rows: RowsQuery, found: AllRows) -> list[str]:
    """Return the column names of `_cells`, for a file without rows."""
    columns = [rows.field]
    for measure in found.measures:
        columns.append(measure.value)
        if measure in found.compared:
            columns += [f"{measure}_before", f"{measure}_change"]
    return columns


def _cells(row: AllRow, rows: RowsQuery, found: AllRows) -> dict[str, Value | str]:
    cells: dict[str, Value | str] = {rows.field: row.name}
    for measure in found.measures:
        now = row.counts.value(measure)
        cells[measure.value] = now
        if measure in found.compared and row.before is not None:
            was = row.before.value(measure)
            cells[f"{measure}_before"] = was
            cells[f"{measure}_change"] = change(measure, now, was)
    return cells
