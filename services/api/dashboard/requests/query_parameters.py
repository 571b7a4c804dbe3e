"""The URL of a site's page: its parameters say all it shows, so that it can be saved and shared."""

from collections.abc import Collection, Mapping
from urllib.parse import urlencode

import msgspec

from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.stats.grammar.site_query import CUSTOM, YESTERDAY, Scope, SiteQuery, field_text
from services.api.stats.periods.spans import Period, follows_calendar, span_of
from services.api.stats.reports.report_query import REPORT_PERIODS
from services.model.calendar import months_later, to_date

_DEFAULT = SiteQuery()


def read(page: PageRequest) -> SiteQuery:
    """Return what the URL asks for, not yet validated."""
    opens_with = page.default_period or _DEFAULT.period
    period = page.parameter("period") or opens_with
    dates = page.parameter("date")
    if period == CUSTOM and not dates:
        dates = f"{page.parameter('from')},{page.parameter('to')}"
    compare = page.parameter("compare", _DEFAULT.compare)
    if compare == CUSTOM:
        compare = f"{page.parameter('compare_from')},{page.parameter('compare_to')}"
    measure = page.parameter("measure", _DEFAULT.measure)
    opening = page.parameter("opening", _DEFAULT.opening)
    return SiteQuery(period, dates, measure, _filters(page), compare, opening, opens_with)


def _filters(page: PageRequest) -> str:
    """Return the filters of the URL, with the one from the filter form if it is filled in."""
    filters, value = page.parameter("filters"), page.parameter("filter_value").strip()
    if not value:
        return filters
    operator = "!=" if page.parameter("filter_is") == "not" else "=="
    added = f"{page.parameter('filter_by')}{operator}{field_text(value)}"
    return f"{filters};{added}" if filters else added


class Links:
    """The URLs of a site's page, or of one below it, with some of its parameters changed.

    slug, scope  what the page is about
    base  the URL of the site's page
    home  the URL of this page without parameters
    more  the parameters that only the page below has, which its URLs keep
    """

    def __init__(
        self,
        slug: str,
        scope: Scope,
        base: str | None = None,
        below: str = "",
        more: Mapping[str, str] | None = None,
    ) -> None:
        """`base` is the URL of the site's page, if not the one for those who are signed in.

        `below` is what the URL of a page below it adds to that.
        """
        self.slug = slug
        self.base = self._path = base or f"{HOME}/sites/{slug}"
        self.scope = scope
        self.home = f"{self._path}{below}"
        self.more = dict(more or {})

    def path(self, **changes: str) -> str:
        """Return the URL of the page with these fields of the query changed."""
        query = self.scope.query
        return self.home + _text(msgspec.structs.replace(query, **changes), self.more)

    def below(self, path: str) -> str:
        """Return the URL of a page below that of the site, with the same query."""
        return f"{self._path}{path}{_text(self.scope.query)}"

    def elsewhere(self, home: str) -> str:
        """Return the URL of the page of another site or group, for the same days."""
        return elsewhere(home, self.scope.query)

    @property
    def report(self) -> str:
        """The URL of the report for the period shown, or the default if it has no report."""
        query = self.scope.query
        fields = {"opening": "" if query.opening == _DEFAULT.opening else query.opening}
        if query.period in REPORT_PERIODS:
            fields |= {"period": query.period, "date": query.dates or _iso(self.scope.span.first)}
        return f"{self._path}/report{_encoded(fields)}"

    def with_more(self, **changes: str) -> str:
        """Return the URL with some of its own parameters changed; '' removes one."""
        return self.home + _text(self.scope.query, {**self.more, **changes})

    def file(self) -> str:
        """Return the URL of the same page as CSV."""
        return f"{self.home}/csv{_text(self.scope.query, self.more)}"

    def fields(self, but: Collection[str] = ()) -> list[tuple[str, str]]:
        """Return the parameters and values that a form keeps, except for some."""
        parameters = _parameters(self.scope.query) | self.more
        return [(name, value) for name, value in parameters.items() if value and name not in but]

    def csv(self, panel: str) -> str:
        """Return the URL of a panel as CSV."""
        return f"{self._path}/csv/{panel}{_text(self.scope.query)}"

    def period(self, name: str) -> str:
        """Return the URL of another period."""
        return self.path(period=name, dates="")

    def last(self, period: str) -> str:
        """Return the URL of the month, quarter or year before the current one."""
        this = span_of(period, None, self.scope.today)
        return self.path(period=period, dates=_iso(this.first - 1))

    @property
    def earlier(self) -> str | None:
        """The URL of the previous day, month, quarter…; None if the period is none of these."""
        period = self._stepped
        return period and self.path(period=period, dates=_iso(self.scope.span.first - 1))

    @property
    def later(self) -> str | None:
        """The URL of the next day, month, quarter…, if it has begun."""
        period, span = self._stepped, self.scope.span
        months = 12 if period and period.endswith(Period.NINE_MONTHS) else span.months
        after = months_later(span.first, months) if months else span.last + 1
        if period is None or after > self.scope.today:
            return None
        return self.path(period=period, dates=_iso(after))

    @property
    def _stepped(self) -> str | None:
        # The period by which to step, None for periods such as the last 30 days.
        period = self.scope.query.period
        if period in (Period.DAY, YESTERDAY):
            return Period.DAY.value
        rolling = period in (Period.LAST_6_MONTHS, Period.LAST_12_MONTHS, CUSTOM)
        return period if follows_calendar(period, self.scope.span) and not rolling else None


def _iso(day: int) -> str:
    return to_date(day).isoformat()


def elsewhere(home: str, query: SiteQuery) -> str:
    """Return the URL of another page that shows the same days, without filters.

    It names the period even if this page opens with it: the other may open with another one.
    """
    return home + _text(msgspec.structs.replace(query, filters="", opens_with=""))


def _text(query: SiteQuery, more: Mapping[str, str] | None = None) -> str:
    return _encoded(_parameters(query) | dict(more or {}))


def _encoded(parameters: Mapping[str, str]) -> str:
    text = urlencode({name: value for name, value in parameters.items() if value}, safe=":,/=")
    return f"?{text}" if text else ""


def _parameters(query: SiteQuery) -> dict[str, str]:
    return {
        "period": "" if query.period == query.opens_with else query.period,
        "date": query.dates,
        "measure": "" if query.measure == _DEFAULT.measure else query.measure,
        "filters": query.filters,
        "compare": "" if query.compare == _DEFAULT.compare else query.compare,
        "opening": "" if query.opening == _DEFAULT.opening else query.opening,
    }
