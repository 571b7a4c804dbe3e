"""Which rows of a breakdown are read to be sorted here, where the store cannot sort them.

A rate follows from counts that come from several statements; so as many rows are read as can be
sorted, those with the most visits, whatever the page that is asked for. Of a site that others are
merged into, rows of all of them are added up first.
"""

from collections.abc import Sequence, Sized

from services.api.stats.grammar.measures import RATES, Counts
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.readers.results import sliced

MAX_BY_RATE = 10_000
"""How many rows are sorted at most."""
BY_RATE = f"there are more rows than {MAX_BY_RATE}; of these, those with the most visits are sorted"


OF_PART = 10
MAX_OF_PART = 10_000
"""From each part of a site, OF_PART times the requested rows are read, at most this many."""


def of_each_part(query: StatsQuery, breakdown: BreakdownQuery) -> BreakdownQuery:
    """Return which rows to read of each part of a site, so that the sums can be sorted."""
    most = min(MAX_OF_PART, OF_PART * breakdown.page * breakdown.limit)
    return read_for(query, BreakdownQuery(breakdown.by, most, 1))


def read_for(query: StatsQuery, breakdown: BreakdownQuery) -> BreakdownQuery:
    """Return which rows to read: more than are asked for if the first measure is a rate."""
    if query.measures[0] not in RATES:
        return breakdown
    return BreakdownQuery(breakdown.by, MAX_BY_RATE, 1)


def sorted_by(
    query: StatsQuery, breakdown: BreakdownQuery, rows: dict[str, Counts]
) -> dict[str, Counts]:
    """Return the rows that are asked for, of those that were read."""
    first = query.measures[0]
    return sliced(rows, first, breakdown) if first in RATES else rows


def missing(query: StatsQuery, rows: Sized) -> Sequence[str]:
    """Return a warning if there may be more rows than were read to be sorted."""
    return [BY_RATE] if query.measures[0] in RATES and len(rows) >= MAX_BY_RATE else []
