"""What the page of a site asks for: a period, filters, and the measure of its chart."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from services.api.counter.parameters import one_of
from services.api.stats.grammar.filters import FILTERED, Filter, parse
from services.api.stats.grammar.measures import Measure
from services.api.stats.periods.comparison import Comparison, against, until
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.spans import DEFAULT_PERIOD, Interval, Period, Span, span_of
from services.http.errors import ApiError
from services.model.default_period import DefaultPeriod
from services.model.filter_text import escaped
from services.model.site import Site

YESTERDAY = DefaultPeriod.YESTERDAY.value
CUSTOM = Period.CUSTOM.value
LONG_PERIODS = (Period.LAST_12_MONTHS.value, Period.HALF.value, Period.NINE_MONTHS.value)
REPORTS = tuple(one.value for one in DefaultPeriod if one.startswith("report_"))
"""Those for reports, from the 15th to the 14th."""
PERIODS = tuple(
    one.value for one in DefaultPeriod if one and one.value not in (*LONG_PERIODS, *REPORTS)
)
"""The everyday ones."""
COMPARISONS = tuple(Comparison)
OPENINGS = tuple(Opening)
MEASURED = Opening.EXCLUDE
"""Only what was measured, without opening balances: what a page shows unless asked."""
CHARTED = (Measure.PAGEVIEWS, Measure.VISITS, Measure.VISITORS)

FILTER_FIELDS = tuple((by.value, by.field) for by in FILTERED)
"""What a view can be filtered by: the name in a filter, and the key of its texts."""

FIELDS = tuple(by.field for by in FILTERED)
"""What a view can be searched by, each a field of a form."""

_WEEKS_FROM_DAYS = 93
_MONTHS_FROM_DAYS = 400
_MONTHS_FROM = 6


class SiteQuery(msgspec.Struct, frozen=True):
    """A query as text from a URL; checked when its panels are requested.

    period   one of PERIODS, or CUSTOM
    dates    the day or month to look at; two, with a comma, for a custom period; '' is now
    measure  one of CHARTED
    filters  in their grammar, separated by ;
    compare  one of Comparison, or two dates with a comma
    opening  one of Opening: whether opening balances are in the numbers
    opens_with  the period if a URL names none
    """

    period: str = DEFAULT_PERIOD
    dates: str = ""
    measure: str = Measure.PAGEVIEWS.value
    filters: str = ""
    compare: str = Comparison.PREVIOUS_PERIOD.value
    opening: str = MEASURED.value
    opens_with: str = DEFAULT_PERIOD


class AppliedFilter(NamedTuple):
    """One filter of a query.

    field   what it looks at: page, source, country…
    values  those that it accepts, or rejects when negated; * is any text
    others  the query's filters without it
    """

    field: str
    values: list[str]
    negated: bool
    others: str


class Scope(msgspec.Struct, frozen=True):
    """A checked query.

    query  the same, with filters in canonical form
    span   all days of the period
    today  the site's
    before   the days that these are compared with; None for none
    opening  whether opening balances are in the numbers
    until_ms  the moment up to which today is compared with another day, in ms since 1970; None
              when whole days are compared
    until_time  the same in local time, as 14:05
    """

    query: SiteQuery
    span: Span
    today: int
    measure: Measure
    filters: tuple[Filter, ...]
    before: Span | None = None
    opening: Opening = MEASURED
    until_ms: int | None = None
    until_time: str = ""

    @property
    def elapsed(self) -> Span:
        """The days of the period so far."""
        return Span(self.span.first, max(self.span.first, min(self.span.last, self.today)))

    @property
    def compared(self) -> Span:
        """The days to compare with, or those of the period when there are none."""
        return self.before or self.span

    @property
    def interval(self) -> Interval:
        """How long each point of the chart is."""
        if self.span.days == 1:
            return Interval.HOUR
        if self.span.days >= _MONTHS_FROM_DAYS or self._is_long:
            return Interval.MONTH
        return Interval.WEEK if self.span.days >= _WEEKS_FROM_DAYS else Interval.DATE

    @property
    def _is_long(self) -> bool:
        # A calendar or report period, not custom dates.
        return self.query.period != CUSTOM and self.span.months >= _MONTHS_FROM

    @property
    def is_under_way(self) -> bool:
        """Whether it is today alone, and compared with a whole day."""
        return self.span.first == self.today and self.until_ms is None

    def by_the_clock(self, site: Site, at_ms: int) -> "Scope":
        """Return the same, with today compared with the other day up to the same time."""
        until_ms = until(site, self.span, self.before, at_ms)
        if until_ms is None:
            return self
        until_time = f"{site.local(until_ms):%H:%M}"
        return msgspec.structs.replace(self, until_ms=until_ms, until_time=until_time)

    @property
    def is_running(self) -> bool:
        """Whether the last of several days so far is today, which is not over."""
        return self.elapsed.last == self.today and self.elapsed.days > 1

    @property
    def applied(self) -> list[AppliedFilter]:
        """The filters as a page shows them."""
        return applied(self.filters)

    def narrowed(self, added: Filter) -> str:
        """Return the filters with one more, which replaces those by the same property."""
        return _text((*(one for one in self.filters if one.by is not added.by), added))


def scope_of(query: SiteQuery, today: int, since: int | None = None) -> Scope:
    """Check a query. Raises ApiError, which names the parameter.

    since  the first day that was counted, for a period of all days
    """
    period = one_of("period", query.period, (*PERIODS, *LONG_PERIODS, *REPORTS, CUSTOM))
    if period == YESTERDAY:
        span = Span(today - 1, today - 1)
    else:
        span = span_of(period, query.dates or None, today, since)
    measure = Measure(one_of("measure", query.measure, CHARTED))
    filters = parse(query.filters)
    of_days = Period.DAY if period == YESTERDAY else period
    before = against(query.compare, of_days, span, today)
    if period == Period.ALL and query.compare in COMPARISONS:
        before = None  # nothing was counted before everything
    opening = Opening(one_of("opening", query.opening, OPENINGS))
    query = msgspec.structs.replace(query, filters=_text(filters))
    return Scope(query, span, today, measure, filters, before, opening)


def applied(filters: tuple[Filter, ...]) -> list[AppliedFilter]:
    """Return filters as a page shows them."""
    return [
        AppliedFilter(
            one.by.field,
            ["*".join(pattern) for pattern in one.patterns],
            one.negated,
            _text(tuple(other for other in filters if other != one)),
        )
        for one in filters
    ]


def applied_of(text: str) -> list[AppliedFilter]:
    """Return filters as a page shows them. Raises ApiError for text that is not a filter."""
    return applied(parse(text))


def filters_of(values: Mapping[str, str], other: str) -> str:
    """Return the filters in a form's fields, by their names, and `other` ones, as one text."""
    terms = [f"{by}=={field_text(value)}" for by in FILTERED if (value := values.get(by.field, ""))]
    return ";".join([*terms, *([other] if other else [])])


def field_text(value: str) -> str:
    """Return the value of a form's field as text of a filter: all but `;` means the same there."""
    return escaped(value, special="\\|*")


def values_of(text: str) -> tuple[dict[str, str], str]:
    """Return the values of a form's fields, and the filters that none of them can express."""
    try:
        filters = parse(text)
    except ApiError:
        return {}, text
    values: dict[str, str] = {}
    others: list[Filter] = []
    for one in filters:
        if one.negated or one.by.field in values:
            others.append(one)
        else:
            values[one.by.field] = str(one).partition("==")[2].replace("\\;", ";")
    return values, _text(tuple(others))


def _text(filters: tuple[Filter, ...]) -> str:
    return ";".join(map(str, filters))
