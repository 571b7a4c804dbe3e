"""The address of a site's page: which parameters it has, so that it can be kept and sent on."""

from urllib.parse import urlencode

import msgspec

from services.api.dashboard.page_request import HOME, PageRequest
from services.api.stats.site_query import CUSTOM, YESTERDAY, Scope, SiteQuery
from services.api.stats.spans import Period
from services.model.calendar import previous_month, to_date

_DEFAULT = SiteQuery()


def read(page: PageRequest) -> SiteQuery:
    """Return what the address asks, not yet checked."""
    period = page.parameter("period", _DEFAULT.period)
    dates = page.parameter("date")
    if period == CUSTOM and not dates:
        dates = f"{page.parameter('from')},{page.parameter('to')}"
    measure = page.parameter("measure", _DEFAULT.measure)
    return SiteQuery(period, dates, measure, page.parameter("filters"))


class Links:
    """The addresses of a site's page with some of its parameters changed."""

    def __init__(self, slug: str, scope: Scope) -> None:
        self._path = f"{HOME}/sites/{slug}"
        self._scope = scope

    def path(self, **changes: str) -> str:
        """Return the address of the page with these fields of the query changed."""
        query = self._scope.query
        return self._path + _text(msgspec.structs.replace(query, **changes))

    def csv(self, panel: str) -> str:
        """Return the address of a panel as CSV."""
        return f"{self._path}/csv/{panel}{_text(self._scope.query)}"

    def period(self, name: str) -> str:
        """Return the address of another period."""
        return self.path(period=name, dates="")

    @property
    def earlier(self) -> str | None:
        """The address of the day or month before, where the period is one."""
        first = self._scope.span.first
        match self._scope.query.period:
            case Period.DAY | "yesterday":
                return self.path(period=Period.DAY.value, dates=_iso(first - 1))
            case Period.MONTH:
                return self.path(dates=_iso(previous_month(first)))
        return None

    @property
    def later(self) -> str | None:
        """The address of the day or month after, if it has come."""
        period, last = self._scope.query.period, self._scope.span.last
        if period not in (Period.DAY, YESTERDAY, Period.MONTH) or last >= self._scope.today:
            return None
        period = Period.MONTH if period == Period.MONTH else Period.DAY
        return self.path(period=period.value, dates=_iso(last + 1))


def _iso(day: int) -> str:
    return to_date(day).isoformat()


def _text(query: SiteQuery) -> str:
    parameters = {
        "period": "" if query.period == _DEFAULT.period else query.period,
        "date": query.dates,
        "measure": "" if query.measure == _DEFAULT.measure else query.measure,
        "filters": query.filters,
    }
    text = urlencode({name: value for name, value in parameters.items() if value}, safe=":,/=")
    return f"?{text}" if text else ""
