"""`/admin/sites/{slug}`: the traffic of a site."""

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from services.api.dashboard.management import embedding
from services.api.dashboard.requests import query_parameters
from services.api.dashboard.requests.page_request import PageRequest
from services.api.dashboard.requests.query_parameters import Links
from services.api.dashboard.texts.days import span_label
from services.api.dashboard.texts.language import Language
from services.api.dashboard.traffic import shown_pages
from services.api.dashboard.traffic.bars import value_name
from services.api.dashboard.traffic.site_parts import SiteParts
from services.api.stats.grammar.site_query import (
    COMPARISONS,
    FILTER_FIELDS,
    LONG_PERIODS,
    PERIODS,
    REPORTS,
    AppliedFilter,
    Scope,
)
from services.api.stats.periods.spans import Period
from services.model.calendar import to_date
from services.model.site import Site
from services.state.errors import StateError
from services.state.recent_hits import RecentHits

_INGEST_SECONDS = 4.0


def _but_of_custom(compare: str) -> tuple[str, ...]:
    """Return the parameters that the form for other days drops, such as days to compare with."""
    return ("period", "date") if compare in COMPARISONS else ("period", "date", "compare")


async def site(page: PageRequest) -> Response:
    """Return the page, streamed part by part as the numbers arrive."""
    query = query_parameters.read(page)
    panels = await page.dependencies.stats.panels(page.site, query, page.signed_in, page.request)
    scope, t = panels.scope, page.t
    links = Links(panels.site.slug, scope, page.base)
    context: dict[str, Any] = {
        "site": panels.site,
        "zone": panels.site.zone_at(int(page.dependencies.clock() * 1000)),
        "query": scope.query,
        "links": links,
        "periods": PERIODS,
        "more_periods": (*LONG_PERIODS, *REPORTS),
        "custom": links.fields(but=_but_of_custom(scope.query.compare)),
        "chips": [(chip(one, t), links.path(filters=one.others)) for one in scope.applied],
        "filtered": FILTER_FIELDS,
        "online": await panels.online(),
        "online_url": shown_pages.online_url(page),
        "label": period_label(scope, t),
        "against": against_label(scope, t),
        "comparisons": COMPARISONS,
        "before_first": to_date(scope.compared.first).isoformat(),
        "before_last": to_date(scope.compared.last).isoformat(),
        "first": to_date(scope.span.first).isoformat(),
        "last": to_date(scope.elapsed.last).isoformat(),
        "today": to_date(scope.today).isoformat(),
        "found_here": _same_views(scope),
        "may_edit": page.signed_in is not None and page.signed_in.may_edit(panels.site),
        "may_see_snippet": page.is_theirs,
        **_merged(page, panels.site),
        "untrusted": await _lately(page, page.dependencies.untrusted),
        "foreign": await _lately(page, page.dependencies.foreign),
    }
    if not await panels.is_counted():
        snippet = await embedding.snippet(page, panels.site)
        ingest = await _ingest(page) if page.is_theirs else ""
        return page.render("waiting.html", snippet=snippet.ways(), ingest=ingest, **context)
    return page.stream(SiteParts(page, panels, links, context).stream())


def _merged(page: PageRequest, site: Site) -> dict[str, Any]:
    """Return which sites the page adds up, and which site includes the numbers of this one."""
    registry = page.dependencies.registry
    parts, into = registry.parts(site), registry.shown(site)
    names = [part.name or part.slug for part in parts]
    return {
        "merged": names if len(parts) > 1 else [],
        "into": "" if into is site else into.name or into.slug,
    }


def _same_views(scope: Scope) -> str:
    """Return the query that selects the views of this page in the form of corrections."""
    parameters = {
        "from": f"{to_date(scope.span.first).isoformat()}T00:00",
        "to": f"{to_date(scope.elapsed.last + 1).isoformat()}T00:00",
        "filters": scope.query.filters,
    }
    return f"?{urlencode(parameters, safe=':,/=')}" if scope.filters else ""


async def _ingest(page: PageRequest) -> str:
    """Return, as text, whether ingest has the current sites; wait a little for it to catch up."""
    try:
        readers = await page.dependencies.registry.ingest_status(_INGEST_SECONDS)
    except StateError:
        return page.t("wait.ingest.unknown")
    if not readers.running:
        return page.t("wait.ingest.none")
    late = readers.running - readers.current
    return page.t("wait.ingest.late", late=late) if late else page.t("wait.ingest.counts")


async def _lately(page: PageRequest, hits: RecentHits) -> int:
    """Return how many such hits the site got recently; 0 for those whose site it is not."""
    if not page.is_theirs:
        return 0
    at_ms = int(page.dependencies.clock() * 1000)
    try:
        return await hits.read_site(page.site.slug, at_ms)
    except StateError:
        return 0


def period_label(scope: Scope, t: Language) -> str:
    """Return the period as text."""
    first = to_date(scope.span.first)
    match scope.query.period:
        case Period.MONTH:
            return t.month(first)
        case Period.YEAR:
            return str(first.year)
    return span_label(scope.span, t)


def against_label(scope: Scope, t: Language) -> str:
    """Return what the period is compared with, as text."""
    if scope.before is None:
        return t("compare.none")
    span = span_label(scope.before, t)
    if scope.until_time:
        return t("period.against.until", span=span, time=scope.until_time)
    key = "period.against"
    if scope.is_running:
        key = "period.against.running"
    elif scope.is_under_way:
        key = "period.against.whole"
    return t(key, span=span)


def chip(applied: AppliedFilter, t: Language) -> str:
    """Return a filter as text."""
    values = " | ".join(value_name(applied.field, value, t) for value in applied.values)
    key = "filters.not" if applied.negated else "filters.is"
    return t(key, by=t(f"by.{applied.field}"), value=values)
