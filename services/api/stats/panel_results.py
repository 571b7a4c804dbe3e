"""The contents of the panels of a site's page, as plain values."""

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

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
