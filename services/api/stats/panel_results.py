"""The contents of the panels of a site's page, as plain values."""

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from services.api.stats.spans import Span
from services.model.calendar import to_date

T = TypeVar("T")


class PanelResult(NamedTuple, Generic[T]):
    """What was read for a panel, or why there is nothing.

    partial  raw hits of some days are gone
    gone     refused, as those of all days are
    """

    value: T | None
    refusal: str = ""
    partial: bool = False
    gone: bool = False


class TrafficMeans(NamedTuple):
    """Means of one measure; None where there are no such days, or not all months are known."""

    per_day: float | None
    per_month: float | None


class KeptHits(NamedTuple):
    """The raw hits of a period that are kept.

    since   their first day, in days since 1970-01-01; where the period has none, the first day of
            all; None where nothing is kept
    visits  that began in them
    whole   visits that were counted in the period
    """

    since: int | None
    visits: int
    whole: int


class Figure(NamedTuple):
    """A measure of the period.

    change  from the period before, in percent, or in points of a rate; None without one
    """

    measure: str
    value: float | None
    change: float | None


class UncountedSpan(NamedTuple):
    """Days that follow one another, of which nothing is known.

    since  the first counted day, where these lie before it; None where nothing was ever counted
    is_gap  whether others before them were counted
    """

    days: Span
    since: int | None = None
    is_gap: bool = False

    def told(self, of: Span) -> str:
        """Say that a span cannot be compared with."""
        if self.is_gap:
            why = f"no view from {self.days}"
        elif self.since is None:
            why = "nothing was"
        else:
            why = f"the first day was {to_date(self.since)}"
        return f"not all of {of} was counted ({why}), so there is no change to tell"


class UncountedDays(NamedTuple):
    """What was not counted: of the days to compare with, and gaps of the period itself."""

    before: UncountedSpan | None
    gaps: Sequence[Span]


class EnteredNumbers(NamedTuple):
    """The opening balances of a period, and whether the one to compare with has any."""

    views: int
    visits: int
    is_compared: bool


class SeriesPoint(NamedTuple):
    """A point of the chart.

    at      2024-01-31, or 2024-01-31 13:00:00, on the site's clocks
    now     None for what has not come yet
    before  the same point of the period before; None without one
    """

    at: str
    now: int | None
    before: int | None


class BreakdownRow(NamedTuple):
    """A row of a breakdown.

    of_most  its part of the first row, 0 to 1
    percent  its part of the whole
    filters  those of the query, narrowed to this row
    """

    name: str
    counted: int
    of_most: float
    percent: int
    filters: str


class CsvFile(NamedTuple):
    """A panel as CSV, and the headers of its response."""

    name: str
    text: str
    headers: Mapping[str, str]
