"""Reads all rows of a panel, exactly even for merged sites and pages with several paths."""

from msgspec import structs

from services.api.stats.grammar.measures import Counts, Measure
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.periods.counted_days import CountedDays
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.spans import Span
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import merge_counts
from services.api.stats.rows import queries_pages, queries_rows, sources
from services.api.stats.rows.queries_rows import section_column
from services.api.stats.rows.question import NAME, AllRow, AllRows, RowsQuery, section_of
from services.api.stats.rows.search import finds
from services.api.stats.rows.sources import RowsSource

MAX_BROUGHT = 100_000
"""The most rows to sort in memory, when they include opening balances."""


class _Sources(list[RowsSource]):
    """The statements of one period, one per site, and what is missing from them."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    @property
    def is_counters(self) -> bool:
        """Whether any of them reads counters."""
        return any(one.is_counters for one in self)


async def read(
    reader: StatsReader,
    query: StatsQuery,
    rows: RowsQuery,
    before: Span | None,
    until_ms: int | None = None,
) -> AllRows:
    """Return the rows of a page. Raises ApiError.

    before    the days to compare with; None for none
    until_ms  the moment up to which these count; None for whole days
    """
    if query.opening is not Opening.EXCLUDE:
        before = None
    days = query.span.with_those(before) if before else query.span
    query = structs.replace(query, measures=rows.measures)
    moment = query.snapshot or await reader.snapshot(query.site, days)
    query = query.as_of(moment)
    uncounted = None
    if before is not None:
        first_day = await reader.first_day(query.site)
        uncounted = CountedDays.of(first_day, moment, query.today).uncounted(before)
        before = None if uncounted else before
    async with reader.turn() as store:
        brought = await reader.brought(query, rows.by)
        now = _Sources() if query.opening is Opening.ONLY else await _of(reader, query, rows)
        was = _Sources()
        if before is not None:
            was = await _of(reader, query.about(before, until_ms), rows, partly=True)
        aliases = query.site.page_aliases
        compared: tuple[Measure, ...] = ()
        if before is not None and not was.warnings:
            compared = rows.measures
            if rows.kind is None and (now.is_counters or was.is_counters):
                both = now.is_counters and was.is_counters
                compared = queries_pages.COUNTED if both else (Measure.PAGEVIEWS,)
        elif was:
            was.clear()
        if brought:
            every = structs.replace(rows, page=1, limit=MAX_BROUGHT, search="")
            counted = await queries_rows.read(store, every, now, [], aliases) if now else []
            rows = structs.replace(
                rows, also=(*rows.also, *await queries_rows.found_titles(store, rows))
            )
            matched = _with_brought(query, rows, {name: of for name, of, _ in counted}, brought)
        else:
            matched = await queries_rows.read(store, rows, now, was, aliases) if now else []
    is_less = now.is_counters and rows.kind is None
    known = queries_pages.COUNTED if is_less else rows.measures
    return AllRows(
        [AllRow(name, of_now, of_was if compared else None) for name, of_now, of_was in matched][
            : rows.limit
        ],
        len(matched) > rows.limit,
        tuple(known),
        tuple(compared),
        now.warnings,
        is_less,
        uncounted=uncounted,
    )


async def _of(
    reader: StatsReader, query: StatsQuery, rows: RowsQuery, *, partly: bool = False
) -> _Sources:
    """Return the statements of a period; of counters where pages have no raw hits any more."""
    collected = _Sources()
    countable = queries_pages.are_counted(query, rows.by)
    parts = reader.of_parts(query)
    if countable and query.is_apart:
        collected.extend(map(sources.of_counters, parts))
        return collected
    read = [
        (part, *await reader.hits(part, await reader.known(part), partly=partly or countable))
        for part in parts
    ]
    is_gone = any(warnings for _, _, warnings in read)
    for part, coverage, warnings in read:
        column, where = "", ""
        more: dict[str, object] = {}
        if rows.section is not None:
            column, where, more = section_column(rows.section, query.site.page_aliases)
        if is_gone and countable:
            source = sources.of_counters(part, column or "path", where)
        else:
            source = sources.of_hits(part, coverage, rows.by, column, where)
            collected.warnings += warnings
        collected.append(source._replace(parameters={**source.parameters, **more}))
    return collected


def _with_brought(
    query: StatsQuery,
    rows: RowsQuery,
    counted: dict[str, Counts],
    brought: dict[str, tuple[int, int]],
) -> list[tuple[str, Counts, Counts]]:
    """Return the rows including opening balances of pages, sorted here, and one more."""
    section = rows.section
    for path, (views, visits) in brought.items():
        if not all(of.takes(path) for of in query.filters):
            continue
        if section is None or path.startswith(section):
            name = path if section is None else section_of(path, section)
            merge_counts(counted, {name: Counts(pageviews=views, visits=visits)})
    also = frozenset(rows.also) if rows.search else frozenset()
    names = sorted(name for name in counted if name in also or finds(rows.search, name))
    if rows.sort == NAME:
        names.sort(reverse=not rows.rising)
    else:
        measure = Measure(rows.sort)
        names.sort(key=lambda name: counted[name].value(measure) or 0, reverse=not rows.rising)
    skip = (rows.page - 1) * rows.limit
    return [(name, counted[name], Counts()) for name in names[skip : skip + rows.limit + 1]]
