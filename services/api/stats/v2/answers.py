"""Answers queries of version 2 with the readers of version 1."""

from collections.abc import Mapping

import msgspec

from services.api.stats.grammar import names
from services.api.stats.grammar.measures import RATES, Counts, Measure, Value, change
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.periods.spans import Interval
from services.api.stats.readers.changes import both
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import Row, StatsResult, merge_counts, summed
from services.api.stats.rows.to_sort import BY_RATE
from services.api.stats.v2.query import CheckedQuery
from services.api.stats.v2.schema import MAX_ROWS, ComparedRow, QueryAnswer, QueryMeta, QueryRow

_NOTHING = Counts()
_MORE = f"there are more rows than {MAX_ROWS}; those of the highest first metric are among these"


async def answered(
    reader: StatsReader, query: CheckedQuery, notes: list[str], at_ms: int
) -> QueryAnswer:
    """Return the answer. Raises ApiError.

    notes  further remarks about the numbers
    at_ms  the time of the request, in ms since 1970
    """
    question, earlier = query.asked, None
    if query.before is not None:
        two = await both(reader, question, query.before, at_ms)
        question = two.now
        earlier = two.told(await _before(reader, query, two.before))
    result = await _read(reader, query, question)
    rows = _ordered(query, result.rows)
    labels = [row.name for row in rows] if query.interval is not None else []
    if query.interval is not None:
        rows = [row for row in rows if row.counts != Counts()]
    page = rows[query.offset : query.offset + query.limit]
    include = query.body.include
    then = None if earlier is None else _by_name(earlier)
    is_known = earlier is not None and not earlier.warnings
    warnings = [*notes, *result.warnings, *(earlier.warnings if earlier else ())]
    is_full = query.rows is not None and query.rows.limit == len(rows) == MAX_ROWS
    if is_full and BY_RATE not in warnings:
        warnings.append(_MORE)
    return QueryAnswer(
        results=[_row(query, row, then, is_known=is_known) for row in page],
        meta=QueryMeta(
            warnings=warnings,
            time_labels=sorted(labels) if include.time_labels else [],
            total_rows=len(rows) if include.total_rows else None,
        ),
        query=query.understood(),
    )


async def _read(reader: StatsReader, query: CheckedQuery, asked: StatsQuery) -> StatsResult:
    if query.range.hours is not None:
        result = await reader.timeseries(asked, Interval.HOUR)
        rows = result.rows[slice(*query.range.hours)]
        if query.interval is None:
            rows = [Row("", summed(row.counts for row in rows))]
        return StatsResult(rows, result.warnings)
    if query.interval is not None:
        return await reader.timeseries(asked, query.interval)
    if query.rows is not None:
        return await reader.breakdown(asked, query.rows)
    return await reader.total(asked)


async def _before(reader: StatsReader, query: CheckedQuery, asked: StatsQuery) -> StatsResult:
    if query.rows is None:
        return await reader.total(asked, partly=True)
    rows = msgspec.structs.replace(query.rows, limit=MAX_ROWS)
    if asked.measures[0] in RATES:
        # All that matters is which rows are read: the order is that of the other period.
        measures = dict.fromkeys((Measure.VISITS, *asked.measures))
        asked = msgspec.structs.replace(asked, measures=tuple(measures))
    return await reader.breakdown(asked, rows)


def _ordered(query: CheckedQuery, rows: list[Row]) -> list[Row]:
    # The store orders by the first metric, then by name.
    for by in reversed(query.order):
        if by.column is None:
            rows = sorted(rows, key=lambda row: row.name, reverse=by.descending)
        else:
            measure = query.columns[by.column]
            rows = sorted(
                rows,
                key=lambda row, of=measure: row.counts.value(of) or 0,  # type: ignore[misc]
                reverse=by.descending,
            )
    return rows


def _by_name(result: StatsResult) -> Mapping[str, Counts]:
    """Return the counts of rows by name: there may be as many to look up as there are rows."""
    counts: dict[str, Counts] = {}
    for row in result.rows:
        merge_counts(counts, {row.name: row.counts})
    return counts


def _row(
    query: CheckedQuery, row: Row, then: Mapping[str, Counts] | None, *, is_known: bool
) -> QueryRow:
    if query.rows is not None:
        dimensions = [names.written(query.rows.by, row.name)]
    else:
        dimensions = [row.name] if query.interval is not None else []
    compared = None
    if then is not None:
        before = then.get(row.name, _NOTHING)
        compared = _compared(query, row.counts, before, dimensions, is_known=is_known)
    return QueryRow(
        metrics=[row.counts.value(measure) for measure in query.columns],
        dimensions=dimensions,
        comparison=compared,
    )


def _compared(
    query: CheckedQuery, now: Counts, then: Counts, dimensions: list[str], *, is_known: bool
) -> ComparedRow:
    values: list[Value] = [then.value(measure) for measure in query.columns]
    return ComparedRow(
        dimensions=dimensions,
        metrics=values,
        change=[
            change(measure, now.value(measure), value if is_known else None)
            for measure, value in zip(query.columns, values, strict=True)
        ],
    )
