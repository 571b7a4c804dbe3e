"""Which report is requested: a period, opening balances or not, and what it is compared with."""

from typing import NamedTuple

from services.api.counter.parameters import one_of
from services.api.stats.grammar.site_query import (
    CUSTOM,
    MEASURED,
    REPORTS,
    Scope,
    SiteQuery,
    scope_of,
)
from services.api.stats.periods.comparison import Comparison
from services.api.stats.periods.spans import Period, Span, span_of
from services.http.errors import bad_request
from services.model.calendar import to_date

REPORT_PERIODS = (*(one.removeprefix("report_") for one in REPORTS), *REPORTS, CUSTOM)
DEFAULT = Period.MONTH.value


class ReportQuery(NamedTuple):
    """A query as text from a URL.

    period   one of REPORT_PERIODS
    dates    a day in the period, or for custom, two with a comma; '' is the last complete period
    opening  one of Opening: whether opening balances are in the figures
    """

    period: str = DEFAULT
    dates: str = ""
    opening: str = MEASURED.value


class ReportScope(NamedTuple):
    """A checked query: compared with the period before, and with the year before."""

    before: Scope
    year_before: Scope

    @property
    def span(self) -> Span:
        """All days of the period."""
        return self.before.span

    @property
    def elapsed(self) -> Span:
        """The days of the period so far."""
        return self.before.elapsed

    @property
    def all_days(self) -> Span:
        """All days for which anything is read."""
        return self.span.with_those(self.before.compared).with_those(self.year_before.compared)

    @property
    def periods(self) -> tuple[Span, Span, Span]:
        """The days so far, those before, and those of the year before."""
        return self.elapsed, self.before.compared, self.year_before.compared


def report_scope(query: ReportQuery, today: int) -> ReportScope:
    """Check a query as of a site's current day. Raises ApiError, which names the parameter."""
    period = one_of("period", query.period, REPORT_PERIODS)
    dates = query.dates or _last_over(period, today)
    scope = scope_of(SiteQuery(period, dates, opening=query.opening), today)
    if scope.span.first > today:
        first = to_date(scope.span.first).isoformat()
        raise bad_request("date", f"the period begins on {first}, which is still to come")
    return ReportScope(
        scope,
        scope_of(
            SiteQuery(
                period, dates, compare=Comparison.YEAR_OVER_YEAR.value, opening=query.opening
            ),
            today,
        ),
    )


def _last_over(period: str, today: int) -> str:
    """Return a day in the last complete period; '' for custom dates, which are missing."""
    if period == CUSTOM:
        return ""
    span = span_of(period, None, today)
    return to_date(span.first - 1 if span.last >= today else span.first).isoformat()
