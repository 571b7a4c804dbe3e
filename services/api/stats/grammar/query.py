"""The query of a request, parsed and checked."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from services.api.stats.grammar.filters import (
    OF_PATHS,
    OF_VISITS,
    Filter,
    Pattern,
    Property,
    parse,
    property_of,
)
from services.api.stats.grammar.measures import APART, LENGTHS, Measure
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import LAST_DAY, Span, span_of
from services.http.errors import bad_request, shown
from services.model.kept_apart import Apart, name_of
from services.model.site import ANY_TEXT, Site

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_PAGE = 1000
MEASURED_AT = {
    Property.ENTRY_PAGE: (Measure.VISITORS, Measure.VISITS, *sorted(LENGTHS)),
    Property.EXIT_PAGE: (Measure.VISITORS, Measure.VISITS),
}
"""What is known about visits by the page that they began or ended on."""


class StatsQuery(msgspec.Struct, frozen=True):
    """Measures of a site's hits on some days that pass the filters.

    site      with its `kept_as` set to what is asked for, if that is kept apart from views
    snapshot  as of which moment; that of the reading if None
    opening   whether opening balances are included
    today     the site's
    hidden    the pages left out of rows by EXIT_PAGE, see `of_shown_pages`
    until_ms  only what was counted before that moment, in ms since 1970; None for whole days
    """

    site: Site
    span: Span
    measures: tuple[Measure, ...]
    filters: tuple[Filter, ...] = ()
    snapshot: Snapshot | None = None
    opening: Opening = Opening.EXCLUDE
    today: int = LAST_DAY
    hidden: tuple[Pattern, ...] = ()
    until_ms: int | None = None

    @property
    def is_of_hits(self) -> bool:
        """Whether views and visits must come from single hits: counters only know whole days."""
        return bool(self.filters) or self.until_ms is not None

    def wants(self, measures: frozenset[Measure]) -> bool:
        """Tell whether one of these measures is requested."""
        return not measures.isdisjoint(self.measures)

    def not_entered(self, *, is_told_apart: bool = False) -> list[str]:
        """Return the warning when opening balances are asked for and cannot be shown."""
        if self.opening is Opening.EXCLUDE or not (self.filters or is_told_apart):
            return []
        return ["opening balances are not told apart like this, so they are not in the numbers"]

    @property
    def is_apart(self) -> bool:
        """Whether it is about what is kept apart from views: counters know as much as raw hits."""
        return not APART.keys().isdisjoint(self.measures)

    @property
    def of_pages(self) -> bool:
        """Whether views are filtered by page: a visit may have views of several pages."""
        return any(of.by is Property.PAGE for of in self.filters)

    def as_of(self, snapshot: Snapshot | None) -> "StatsQuery":
        """Return the same query, to be answered as of a moment."""
        return msgspec.structs.replace(self, snapshot=snapshot)

    def of_shown_pages(self, by: Property, parts: Iterable[Site]) -> "StatsQuery":
        """Return the query with rows by a property as strangers may see them: no hidden pages.

        parts  the site, and those merged into it: what is hidden on one of them is hidden
        """
        pages = dict.fromkeys(page for part in parts for page in part.hidden_pages)
        if by not in OF_PATHS or not pages:
            return self
        split = (tuple(page.split(ANY_TEXT)) for page in pages)
        query = msgspec.structs.replace(self, hidden=tuple(_addresses(self.site, split)))
        if by is Property.EXIT_PAGE:
            # Filters are about the first view of a visit.
            return query
        return msgspec.structs.replace(self, filters=(*self.filters, *query.shown_pages))

    @property
    def shown_pages(self) -> tuple[Filter, ...]:
        """The filter that leaves the hidden pages out; () when there are none."""
        return (Filter(Property.PAGE, self.hidden, negated=True),) if self.hidden else ()

    def of_addresses(self) -> "StatsQuery":
        """Return the query with each page in its filters expanded to all paths of that page."""
        site = self.site
        if not site.page_aliases or not self.of_pages:
            return self
        filters = tuple(
            msgspec.structs.replace(one, patterns=tuple(_addresses(site, one.patterns)))
            if one.by is Property.PAGE
            else one
            for one in self.filters
        )
        return msgspec.structs.replace(self, filters=filters)

    def about(self, span: Span, until_ms: int | None = None) -> "StatsQuery":
        """Return the same query about other days, up to a moment if given."""
        return msgspec.structs.replace(self, span=span, until_ms=until_ms)


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
    opening: str | None = None,
    since: int | None = None,
) -> StatsQuery:
    """Return the query of a request. Raises ApiError, which names the parameter.

    since  the first day that was counted, for a period of all days
    """
    measures = _measures(metrics)
    for measure in APART.keys() & set(measures):
        if len(measures) > 1:
            raise bad_request("metrics", f"{measure} is asked for alone")
        site = apart(site, APART[measure])
    query = StatsQuery(
        site,
        span_of(period, dates, today, since),
        measures,
        parse(filters or ""),
        opening=_opening(opening),
        today=today,
    )
    if query.opening is not Opening.EXCLUDE:
        _refuse_ratio(query, "with opening balances")
    if query.of_pages:
        _refuse_ratio(query, "with a filter by event:page")
    return query


def apart(site: Site, kind: Apart) -> Site:
    """Return a site as kept for a kind; page aliases apply to files only."""
    aliases = site.page_aliases if kind is Apart.DOWNLOADS else ()
    return msgspec.structs.replace(site, kept_as=name_of(site.kept_as, kind), page_aliases=aliases)


def parse_breakdown(
    query: StatsQuery, name: str | None, limit: str | None, page: str | None
) -> BreakdownQuery:
    """Return which rows of a breakdown to read. Raises ApiError."""
    by = property_of(name or "", "property")
    if by is Property.PAGE:
        _refuse_ratio(query, "in a breakdown by event:page")
    if by in OF_VISITS:
        known = MEASURED_AT[by]
        if unknown := [measure for measure in query.measures if measure not in known]:
            expected = ", ".join(known)
            raise bad_request(
                "metrics", f"{', '.join(unknown)} by {by}; expected some of {expected}"
            )
    return BreakdownQuery(
        by,
        whole("limit", limit, DEFAULT_LIMIT, MAX_LIMIT),
        whole("page", page, 1, MAX_PAGE),
    )


def _addresses(site: Site, patterns: Iterable[Pattern]) -> Iterator[Pattern]:
    """Return patterns of paths as counted: those of pages, as shown, with all their addresses."""
    for pattern in patterns:
        match pattern:
            case (page,):
                yield from ((one,) for one in site.addresses_of(site.page_of(page)))
            case (stem, ""):
                yield pattern
                single, begins = site.addresses_below(stem)
                yield from ((one,) for one in single)
                yield from ((one, "") for one in begins)
            case _:
                yield pattern


def whole(name: str, text: str | None, default: int, most: int) -> int:
    """Return a number from a query, 1 to `most`. Raises ApiError, which names it."""
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 0 < int(text) <= most:
        raise bad_request(name, f"{shown(text)}; expected a whole number, 1 to {most}")
    return int(text)


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


def _opening(text: str | None) -> Opening:
    try:
        return Opening(text or Opening.EXCLUDE)
    except ValueError:
        expected = ", ".join(Opening)
        raise bad_request("opening", f"{shown(text)}; expected one of {expected}") from None


def _refuse_ratio(query: StatsQuery, where: str) -> None:
    # A visit belongs to the page it began on, a view to its own: their ratio would be meaningless.
    if Measure.VIEWS_PER_VISIT in query.measures:
        raise bad_request("metrics", f"{Measure.VIEWS_PER_VISIT} says nothing {where}")
