"""The panels that break the traffic down, and the queries that panels make."""

from collections.abc import Mapping

from services.api.stats.grammar.filters import OF_VISITS, Property
from services.api.stats.grammar.measures import Measure
from services.api.stats.grammar.query import MEASURED_AT, StatsQuery
from services.api.stats.grammar.site_query import CHARTED, Scope
from services.model.site import Site

BREAKDOWNS: Mapping[str, Property] = {
    by.field: by
    for by in (
        Property.PAGE,
        Property.ENTRY_PAGE,
        Property.EXIT_PAGE,
        Property.SOURCE,
        Property.CHANNEL,
        Property.REFERRER,
        Property.UTM_CAMPAIGN,
        Property.UTM_MEDIUM,
        Property.COUNTRY,
        Property.REGION,
        Property.DEVICE,
        Property.BROWSER,
        Property.OS,
    )
}
"""The panels that break the traffic down, by name, in page order."""
_OF_ALL_COUNTRIES = {name: by for name, by in BREAKDOWNS.items() if by is not Property.REGION}
_WITHIN_COUNTRY = (Property.COUNTRY, Property.REGION)


def shown_breakdowns(scope: Scope) -> Mapping[str, Property]:
    """Return the panels on the page: provinces only when it is filtered to one country."""
    within = any(one.is_one_value for one in scope.filters if one.by in _WITHIN_COUNTRY)
    return BREAKDOWNS if within else _OF_ALL_COUNTRIES


def ordered_by(by: Property) -> Measure:
    """Return what a breakdown is ordered by."""
    return Measure.PAGEVIEWS if by is Property.PAGE else Measure.VISITS


def filtered_by(by: Property) -> Property:
    """Return the property that a click on a panel's row filters the page by."""
    return Property.PAGE if by in OF_VISITS else by


def measured_by(by: Property) -> tuple[Measure, ...]:
    """Return the measures of a panel's rows, the one they are ordered by first."""
    first = ordered_by(by)
    known = MEASURED_AT.get(by, CHARTED)
    return (first, *(one for one in CHARTED if one is not first and one in known))


def question_of(site: Site, scope: Scope, measures: tuple[Measure, ...]) -> StatsQuery:
    """Return a query about the days of the scope so far."""
    return StatsQuery(
        site,
        scope.elapsed,
        measures,
        scope.filters,
        opening=scope.opening,
        today=scope.today,
    )
