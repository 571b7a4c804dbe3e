"""What the page of a site asks: a period, filters, and the measure of its chart."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from services.api.counter.parameters import one_of
from services.api.stats.filters import Filter, Property, parse
from services.api.stats.measures import Measure
from services.api.stats.spans import Interval, Period, Span, span_of
from services.http.errors import ApiError

PERIODS = ("day", "yesterday", "7d", "30d", "month", "12mo")
DEFAULT_PERIOD = "30d"
CUSTOM = "custom"
YESTERDAY = "yesterday"
CHARTED = (Measure.PAGEVIEWS, Measure.VISITS, Measure.VISITORS)

FIELDS = tuple(by.field for by in Property)
"""What a view can be found by, one field of a form each."""

_WEEKS_FROM_DAYS = 93
_MONTHS_FROM_DAYS = 400


class SiteQuery(msgspec.Struct, frozen=True):
    """A query as text from a URL; checked when its panels are requested.

    period   one of PERIODS, or CUSTOM
    dates    the day or month that is looked at; two, with a comma, of a custom period; '' is now
    measure  one of CHARTED
    filters  in their grammar, with ; between them
    """

    period: str = DEFAULT_PERIOD
    dates: str = ""
    measure: str = Measure.PAGEVIEWS.value
    filters: str = ""


class AppliedFilter(NamedTuple):
    """One filter of a query.

    field   what it looks at: page, source, country…
    values  those that it takes, or does not when it is negated; * is any text
    others  the query's filters without it
    """

    field: str
    values: list[str]
    negated: bool
    others: str


class Scope(msgspec.Struct, frozen=True):
    """A query that was checked.

    query  the same, with filters written in the one way that compares equal
    span   all days of the period
    today  the site's
    """

    query: SiteQuery
    span: Span
    today: int
    measure: Measure
    filters: tuple[Filter, ...]

    @property
    def elapsed(self) -> Span:
        """The days of the period that have come."""
        return Span(self.span.first, max(self.span.first, min(self.span.last, self.today)))

    @property
    def interval(self) -> Interval:
        """How long each point of the chart is."""
        if self.span.days == 1:
            return Interval.HOUR
        if self.query.period == Period.LAST_12_MONTHS or self.span.days >= _MONTHS_FROM_DAYS:
            return Interval.MONTH
        return Interval.WEEK if self.span.days >= _WEEKS_FROM_DAYS else Interval.DATE

    @property
    def is_under_way(self) -> bool:
        """Whether it is today alone, which is compared with a whole day."""
        return self.span.first == self.today

    @property
    def applied(self) -> list[AppliedFilter]:
        """The filters as a page shows them."""
        return applied(self.filters)

    def narrowed(self, added: Filter) -> str:
        """Return the filters with one more, which replaces those by the same property."""
        return _text((*(one for one in self.filters if one.by is not added.by), added))


def scope_of(query: SiteQuery, today: int) -> Scope:
    """Check a query. Raises ApiError, which names the parameter."""
    period = one_of("period", query.period, (*PERIODS, CUSTOM))
    if period == YESTERDAY:
        span = Span(today - 1, today - 1)
    else:
        span = span_of(period, query.dates or None, today)
    measure = Measure(one_of("measure", query.measure, CHARTED))
    filters = parse(query.filters)
    return Scope(
        msgspec.structs.replace(query, filters=_text(filters)), span, today, measure, filters
    )


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
    """Return filters as a page shows them. Raises ApiError for text that is none."""
    return applied(parse(text))


def filters_of(values: Mapping[str, str], other: str) -> str:
    """Return what the fields of a form say, by their names, and `other` filters, as one text."""
    terms = [f"{by}=={_escaped(value)}" for by in Property if (value := values.get(by.field, ""))]
    return ";".join([*terms, *([other] if other else [])])


def values_of(text: str) -> tuple[dict[str, str], str]:
    """Return what the fields of a form say, and the filters that none of them can say."""
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


def _escaped(value: str) -> str:
    # The other marks of the grammar mean in a field what they mean there.
    return value.replace(";", "\\;")


def _text(filters: tuple[Filter, ...]) -> str:
    return ";".join(map(str, filters))
