"""The results of queries: rows with names, added up and sorted."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from services.api.stats.grammar.filters import OF_PATHS, Property
from services.api.stats.grammar.measures import Counts, Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.spans import Hours, Interval, Span, label_of
from services.http.errors import ApiError
from services.model.site import Site

UNDATED = (
    "opening balances of whole months or years are in no shorter row, so the rows add up to less"
    " than the period"
)

NO_HOURS = "opening balances of a day are not known by the hour, so there is no change to tell"

K = TypeVar("K")


class HitsGoneError(ApiError):
    """A query whose raw hits, as many as were counted, are no longer kept."""

    def __init__(self, gone: str) -> None:
        """`gone` says for which days."""
        super().__init__(422, {"date": f"{gone}; expected a later period, or no filter"})


class Row(NamedTuple):
    """One row of a result, and its name."""

    name: str
    counts: Counts


class StatsResult(NamedTuple):
    """What was counted, with warnings about it."""

    rows: list[Row]
    warnings: list[str]

    def total(self) -> Counts:
        """Return the sum of all rows."""
        return summed(row.counts for row in self.rows)

    def missing(self, what: str) -> "StatsResult":
        """Return the same result with a warning about what it lacks."""
        return StatsResult(self.rows, [*self.warnings, what])


def ranked(
    query: StatsQuery,
    breakdown: BreakdownQuery,
    rows: dict[str, Counts],
    brought: Mapping[str, tuple[int, int]],
) -> list[Row]:
    """Return the rows of a page of the breakdown, opening balances included."""
    for path, (views, visits) in brought.items():
        if (views or visits) and all(of.takes(path) for of in query.filters):
            merge_counts(rows, {path: Counts(pageviews=views, visits=visits)})
    first = query.measures[0]
    order = sorted(rows, key=lambda name: (-(rows[name].value(first) or 0), name))
    skip = (breakdown.page - 1) * breakdown.limit
    names = order[skip : skip + breakdown.limit]
    return [Row(breakdown.by.shown(name), rows[name]) for name in names]


def sliced(
    rows: Mapping[str, Counts], measure: Measure, breakdown: BreakdownQuery
) -> dict[str, Counts]:
    """Return the rows of a page of the breakdown, the highest of a measure first."""
    ordered = sorted(rows.items(), key=lambda row: (-(row[1].value(measure) or 0), row[0]))
    upto = breakdown.page * breakdown.limit
    return dict(ordered[upto - breakdown.limit : upto])


def in_intervals(query: StatsQuery, days: Mapping[int, Counts], interval: Interval) -> StatsResult:
    """Return a row for each interval of the span, opening balances included."""
    rows: dict[str, Counts] = {}
    spans: dict[str, Span] = {}
    for day in range(query.span.first, query.span.last + 1):
        label = label_of(day, interval, query.span)
        rows.setdefault(label, Counts()).add(days.get(day, Counts()))
        spans[label] = Span(spans[label].first if label in spans else day, day)
    entered = Counts()
    for label, span in spans.items():
        in_row = entered_of(query, span)
        rows[label].add(in_row)
        entered.add(in_row)
    warnings = [] if entered == entered_of(query, query.span) else [UNDATED]
    return StatsResult([Row(*row) for row in rows.items()], warnings)


def hourly(hours: Hours, counts: Mapping[int, Counts]) -> list[Row]:
    """Return a row for each hour."""
    return [Row(label, counts.get(hour, Counts())) for hour, label in enumerate(hours.labels)]


def merge_counts(into: dict[K, Counts], more: Mapping[K, Counts]) -> None:
    """Add counts to others, by key."""
    for key, counts in more.items():
        into.setdefault(key, Counts()).add(counts)


def summed(of: Iterable[Counts]) -> Counts:
    """Return the sum of all counts."""
    total = Counts()
    for counts in of:
        total.add(counts)
    return total


def entered_of(query: StatsQuery, span: Span) -> Counts:
    """Return what opening balances add to days of a query; nothing if it has filters."""
    if query.opening is Opening.EXCLUDE or query.filters or query.snapshot is None:
        return Counts()
    views, visits = query.snapshot.entered(span, query.today)
    return Counts(pageviews=views, visits=visits)


def has_aliases(site: Site, by: Property) -> bool:
    """Tell whether several values of a property may share a row."""
    return by in OF_PATHS and bool(site.page_aliases)
