"""Makes a report of sites: their numbers added up."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from services.api.stats.measures import Counts, Measure, change
from services.api.stats.opening import Opening
from services.api.stats.panel_reading import ordered_by
from services.api.stats.reader import StatsReader
from services.api.stats.reports.report_query import ReportQuery, ReportScope, report_scope
from services.api.stats.reports.site_numbers import (
    LISTS,
    ROWS,
    ComparedCounts,
    ReportedNumbers,
    numbers_of,
)
from services.api.stats.reports.traffic_report import (
    ReportDays,
    ReportedSite,
    ReportFigure,
    ReportList,
    ReportOpening,
    ReportPart,
    ReportRow,
    TrafficReport,
)
from services.api.stats.results import summed
from services.api.stats.site_query import CHARTED
from services.api.stats.spans import Span
from services.model.calendar import to_date
from services.model.site import Site


async def make_report(
    reader: StatsReader,
    sites: Sequence[Site],
    query: ReportQuery,
    at_ms: int,
    *,
    is_public: bool = False,
) -> TrafficReport:
    """Return the report of one or more sites. Raises ApiError, which names the parameter.

    at_ms      the moment, in ms since 1970; the first site's day of it decides what is over
    is_public  whether strangers see it: then hidden pages are no rows
    """
    scope = report_scope(query, sites[0].day_of(at_ms))
    numbers = [await numbers_of(reader, site, scope, is_public=is_public) for site in sites]
    traffic = _together([one.traffic for one in numbers])
    downloads = _together([one.downloads for one in numbers])
    firsts = [one.first_day for one in numbers]
    known = [day for day in firsts if day is not None]
    return TrafficReport(
        sites=[ReportedSite(slug=site.slug, name=site.name or site.slug) for site in sites],
        period=query.period,
        days=_days(scope.span),
        until=to_date(scope.elapsed.last),
        before=_days(scope.before.compared),
        year_before=_days(scope.year_before.compared),
        counted_since=to_date(max(known)) if known and None not in firsts else None,
        opening=ReportOpening(
            views=sum(one.entered[0] for one in numbers),
            visits=sum(one.entered[1] for one in numbers),
            included=scope.before.opening is not Opening.EXCLUDE,
        ),
        figures=[
            *(_figure(measure, traffic, scope) for measure in CHARTED),
            _figure(Measure.DOWNLOADS, downloads, scope),
        ],
        by_day=_rows([one.by_day for one in numbers], scope),
        by_month=_rows([one.by_month for one in numbers], scope),
        **{name: _list(name, numbers, traffic.now) for name in LISTS},
    )


def _days(span: Span) -> ReportDays:
    return ReportDays(first=to_date(span.first), last=to_date(span.last))


def _together(of_sites: Sequence[ComparedCounts]) -> ComparedCounts:
    """Add up; of a period that is not known of all sites, nothing is."""
    before = [one.before for one in of_sites]
    year_before = [one.year_before for one in of_sites]
    return ComparedCounts(summed(one.now for one in of_sites), _sum(before), _sum(year_before))


def _sum(counts: Sequence[Counts | None]) -> Counts | None:
    known = [one for one in counts if one is not None]
    return summed(known) if len(known) == len(counts) else None


def _figure(measure: Measure, counted: ComparedCounts, scope: ReportScope) -> ReportFigure:
    value = int(counted.now.value(measure) or 0)
    before, year_before = (
        None if counts is None else int(counts.value(measure) or 0)
        for counts in (counted.before, counted.year_before)
    )
    months = scope.span.months
    several = months > 1 and scope.elapsed == scope.span
    return ReportFigure(
        measure=measure.value,
        value=value,
        per_day=round(value / scope.elapsed.days, 2),
        per_month=round(value / months, 2) if several else None,
        before=before,
        change=change(measure, value, before),
        year_before=year_before,
        year_change=change(measure, value, year_before),
    )


def _rows(of_sites: Iterable[Sequence[tuple[date, Counts]]], scope: ReportScope) -> list[ReportRow]:
    last = to_date(scope.elapsed.last)
    counts: dict[date, Counts] = defaultdict(Counts)
    for rows in of_sites:
        for first, of_row in rows:
            if first <= last:
                counts[first].add(of_row)
    return [
        ReportRow(date=first, pageviews=of.pageviews, visits=of.visits, visitors=of.visitors)
        for first, of in sorted(counts.items())
    ]


def _list(name: str, numbers: Sequence[ReportedNumbers], traffic: Counts) -> ReportList:
    """Return the first rows of all sites: pages are each site's own, the others add up."""
    measure = ordered_by(LISTS[name])
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for one in numbers:
        site = one.site.slug if name == "pages" and len(numbers) > 1 else ""
        for row in one.lists[name].rows:
            counted[site, row.name] += int(row.counts.value(measure) or 0)
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:ROWS]
    whole = max(int(traffic.value(measure) or 0), sum(count for _, count in most), 1)
    return ReportList(
        measure=measure.value,
        rows=[
            ReportPart(name=of, site=site, count=count, percent=round(100 * count / whole, 1))
            for (site, of), count in most
        ],
        problem=next((one.lists[name].problem for one in numbers if one.lists[name].problem), ""),
        partial=any(one.lists[name].partial for one in numbers),
    )
