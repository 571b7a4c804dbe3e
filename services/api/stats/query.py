"""The query of a request, parsed and checked."""

import re

import msgspec

from services.api.stats.filters import Filter, Property, parse, property_of
from services.api.stats.measures import Measure
from services.api.stats.snapshot import Snapshot
from services.api.stats.spans import Span, span_of
from services.http.errors import bad_request, shown
from services.model.site import ANY_TEXT, Site

DEFAULT_PERIOD = "30d"
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_PAGE = 1000
PREVIOUS_PERIOD = "previous_period"


class StatsQuery(msgspec.Struct, frozen=True):
    """Measures of the hits of a site, on some days, that pass the filters.

    snapshot  as of which moment; of that of the reading where there is none
    """

    site: Site
    span: Span
    measures: tuple[Measure, ...]
    filters: tuple[Filter, ...] = ()
    snapshot: Snapshot | None = None

    def wants(self, measures: frozenset[Measure]) -> bool:
        """Tell whether one of these measures is requested."""
        return not measures.isdisjoint(self.measures)

    @property
    def of_pages(self) -> bool:
        """Whether views are told apart by their pages: a visit may have views of several."""
        return any(of.by is Property.PAGE for of in self.filters)

    def as_of(self, snapshot: Snapshot | None) -> "StatsQuery":
        """Return the same query, to be answered as of a moment."""
        return msgspec.structs.replace(self, snapshot=snapshot)

    def of_shown_pages(self, by: Property) -> "StatsQuery":
        """Return the query whose rows by a property are for strangers, without hidden pages."""
        hidden = self.site.hidden_pages
        if by is not Property.PAGE or not hidden:
            return self
        patterns = tuple(tuple(page.split(ANY_TEXT)) for page in hidden)
        shown = Filter(Property.PAGE, patterns, negated=True)
        return msgspec.structs.replace(self, filters=(*self.filters, shown))

    def before(self) -> "StatsQuery":
        """Return the same query about the previous period."""
        return msgspec.structs.replace(self, span=self.span.previous())


class BreakdownQuery(msgspec.Struct, frozen=True):
    """Which rows of a breakdown to read."""

    by: Property
    limit: int
    page: int


def parse_query(
    site: Site,
    today: int,
    *,
    period: str,
    dates: str | None,
    metrics: str | None,
    filters: str | None,
) -> StatsQuery:
    """Return the query of a request. Raises ApiError, which names the parameter."""
    query = StatsQuery(
        site, span_of(period, dates, today), _measures(metrics), parse(filters or "")
    )
    if query.of_pages:
        _refuse_ratio(query, "with a filter by event:page")
    return query


def parse_breakdown(
    query: StatsQuery, name: str | None, limit: str | None, page: str | None
) -> BreakdownQuery:
    """Return which rows of a breakdown to read. Raises ApiError."""
    by = property_of(name or "", "property")
    if by is Property.PAGE:
        _refuse_ratio(query, "in a breakdown by event:page")
    return BreakdownQuery(
        by,
        _whole("limit", limit, DEFAULT_LIMIT, MAX_LIMIT),
        _whole("page", page, 1, MAX_PAGE),
    )


def compares(compare: str | None) -> bool:
    """Tell whether a comparison with the previous period is requested. Raises ApiError."""
    if compare in (None, "", PREVIOUS_PERIOD):
        return compare == PREVIOUS_PERIOD
    raise bad_request("compare", f"{shown(compare)}; expected {PREVIOUS_PERIOD}")


def _measures(text: str | None) -> tuple[Measure, ...]:
    names = [name.strip() for name in (text or Measure.VISITORS).split(",")]
    measures = []
    for name in dict.fromkeys(names):
        try:
            measures.append(Measure(name))
        except ValueError:
            expected = ", ".join(Measure)
            raise bad_request("metrics", f"{shown(name)}; expected some of {expected}") from None
    return tuple(measures)


def _refuse_ratio(query: StatsQuery, where: str) -> None:
    # A visit belongs to the page it began on, a view to its own: their ratio would say nothing.
    if Measure.VIEWS_PER_VISIT in query.measures:
        raise bad_request("metrics", f"{Measure.VIEWS_PER_VISIT} says nothing {where}")


def _whole(name: str, text: str | None, default: int, most: int) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 0 < int(text) <= most:
        raise bad_request(name, f"{shown(text)}; expected a whole number, 1 to {most}")
    return int(text)
