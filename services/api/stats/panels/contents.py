"""The contents of the panels of a site's page, as plain values."""

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from services.api.stats.periods.spans import Span
from services.model.calendar import to_date

T = TypeVar("T")


class PanelResult(NamedTuple, Generic[T]):
    """What was read for a panel, or why there is nothing.

    partial  raw hits of some days are gone
    gone     refused, since those of all days are
    """

    value: T | None
    refusal: str = ""
    partial: bool = False
    gone: bool = False


class TrafficMeans(NamedTuple):
    """Means of one measure; None when there are no such days, or not all months are known."""

    per_day: float | None
    per_month: float | None


class KeptHits(NamedTuple):
    """The raw hits of a period that are kept.

    since   their first day, in days since 1970-01-01; if the period has none, the first day of
            all hits; None when nothing is kept
    visits  that began in them
    whole   visits that were counted in the period
    """

    since: int | None
    visits: int
    whole: int


class Figure(NamedTuple):
    """A measure of the period.

    change  from the period before, in percent, or in percentage points; None without one
    """

    measure: str
    value: float | None
    change: float | None


class UncountedSpan(NamedTuple):
    """Consecutive days about which nothing is known.

    since  the first counted day, if these are before it; None when nothing was ever counted
    is_gap  whether earlier days were counted
    """

    days: Span
    since: int | None = None
    is_gap: bool = False

    def told(self, of: Span) -> str:
        """Return why a span cannot be compared with."""
        if self.is_gap:
            why = f"no view from {self.days}"
        elif self.since is None:
            why = "nothing was"
        else:
            why = f"the first day was {to_date(self.since)}"
        return f"not all of {of} was counted ({why}), so there is no change to tell"


class UncountedDays(NamedTuple):
    """What was not counted: in the days to compare with, and gaps in the period itself."""

    before: UncountedSpan | None
    gaps: Sequence[Span]


class EnteredNumbers(NamedTuple):
    """The opening balances of a period, and whether the one to compare with has any."""

    views: int
    visits: int
    is_compared: bool


class SeriesPoint(NamedTuple):
    """A point of the chart.

    at      2024-01-31, or 2024-01-31 13:00:00, in the site's time zone
    now     None for the future
    before  the same point of the period before; None without one
    """

    at: str
    now: int | None
    before: int | None


class BreakdownRow(NamedTuple):
    """A row of a breakdown.

    of_most  its share of the first row, 0 to 1
    percent  its share of the whole
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
