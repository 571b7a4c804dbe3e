"""Makes a report of a site, or of a group of sites."""

from collections.abc import Mapping, Sequence
from datetime import date

from services.api.stats.grammar.measures import ENTERED, Counts, Measure, change
from services.api.stats.grammar.site_query import CHARTED
from services.api.stats.panels.breakdowns import ordered_by
from services.api.stats.panels.contents import KeptHits
from services.api.stats.panels.means import means_of
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.spans import Span
from services.api.stats.readers.reader import StatsReader
from services.api.stats.reports.group_numbers import numbers_of_group
from services.api.stats.reports.page_titles import PageOfSite, titles_of
from services.api.stats.reports.report_query import ReportQuery, ReportScope, report_scope
from services.api.stats.reports.site_numbers import (
    LISTS,
    ComparedCounts,
    NumbersOfSite,
    ReportedNumbers,
    numbers_of,
)
from services.api.stats.reports.traffic_report import (
    CHANGE_DIGITS,
    ReportCompared,
    ReportDays,
    ReportedGroup,
    ReportedSite,
    ReportFigure,
    ReportKept,
    ReportList,
    ReportOpening,
    ReportPart,
    ReportRow,
    TrafficReport,
)
from services.api.stats.reports.unit import ReportUnit
from services.model.calendar import to_date


async def make_report(
    reader: StatsReader,
    unit: ReportUnit,
    query: ReportQuery,
    at_ms: int,
    *,
    is_public: bool = False,
    is_final: bool = False,
) -> TrafficReport:
    """Return the report of a site or a group. Raises ApiError, which names the parameter.

    at_ms      the time, in ms since 1970; the first site's day then decides what is over
    is_public  whether strangers see it: then hidden pages are left out
    is_final   whether nobody can ask again: a list that cannot be read now is then a failure
    """
    sites = unit.require_sites()
    scope = report_scope(query, sites[0].day_of(at_ms))
    if unit.group is None:
        numbers = await numbers_of(reader, sites[0], scope, is_public=is_public, is_final=is_final)
    else:
        numbers = await numbers_of_group(
            reader, sites, scope, at_ms, is_public=is_public, is_final=is_final
        )
    first_day = numbers.first_day
    titles = await titles_of(reader, sites, numbers.lists["pages"].rows)
    return TrafficReport(
        group=None if unit.group is None else ReportedGroup(slug=unit.slug, name=unit.name),
        sites=[_site(one) for one in numbers.sites],
        period=query.period,
        days=_days(scope.span),
        until=to_date(scope.elapsed.last),
        at=sites[0].local(at_ms),
        is_running=scope.elapsed.last == scope.before.today,
        before=_days(scope.before.compared),
        year_before=_days(scope.year_before.compared),
        counted_since=None if first_day is None else to_date(first_day),
        known_days=numbers.known_days,
        uncounted=[_days(gap) for gap in numbers.gaps],
        opening=ReportOpening(
            views=numbers.entered[0],
            visits=numbers.entered[1],
            included=scope.before.opening is not Opening.EXCLUDE,
        ),
        figures=[
            *(_figure(measure, numbers.traffic, numbers, scope) for measure in CHARTED),
            _figure(Measure.DOWNLOADS, numbers.downloads, numbers, scope),
        ],
        compared=[
            ReportCompared(
                against=against,
                sites=of.compared.sites,
                left_out=len(of.unknown),
                changes={one.value: of.compared.change(one, CHANGE_DIGITS) for one in CHARTED},
            )
            for against, of in numbers.sums.items()
            if of.compared is not None
        ],
        by_day=_rows(numbers.by_day, scope),
        by_month=_rows(numbers.by_month, scope),
        kept=_kept(numbers.kept),
        **{name: _list(name, numbers, titles if name == "pages" else {}) for name in LISTS},
    )


def _kept(kept: KeptHits | None) -> ReportKept | None:
    if kept is None:
        return None
    since = None if kept.since is None else to_date(kept.since)
    return ReportKept(since=since, visits=kept.visits, whole=kept.whole)


def _days(span: Span) -> ReportDays:
    return ReportDays(first=to_date(span.first), last=to_date(span.last))


def _site(one: NumbersOfSite) -> ReportedSite:
    now, before, year_before, *_ = one.traffic
    changes = {
        f"{measure}_{name}": _change(measure, now, other)
        for measure in (Measure.PAGEVIEWS, Measure.VISITS)
        for name, other in (("change", before), ("year_change", year_before))
    }
    return ReportedSite(
        slug=one.site.slug,
        name=one.site.name or one.site.slug,
        counted_since=None if one.first_day is None else to_date(one.first_day),
        pageviews=now.pageviews,
        visits=now.visits,
        visitors=now.visitors,
        **changes,
    )


def _change(measure: Measure, now: Counts, before: Counts | None) -> float | None:
    then = None if before is None else before.value(measure)
    return change(measure, now.value(measure), then, CHANGE_DIGITS)


def _figure(
    measure: Measure, counted: ComparedCounts, numbers: ReportedNumbers, scope: ReportScope
) -> ReportFigure:
    value, is_entered = int(counted.now.value(measure) or 0), measure in ENTERED
    before, year_before = (
        int(counts.value(measure) or 0)
        if counts is not None and (is_measured or is_entered)
        else None
        for counts, is_measured in (
            (counted.before, counted.before_is_measured),
            (counted.year_before, counted.year_before_is_measured),
        )
    )
    today = counted.today or Counts()
    known = numbers.known_days if is_entered else numbers.counted_days
    per_day, per_month = means_of(scope.before, known, measure, counted.now, today)
    return ReportFigure(
        measure=measure.value,
        value=value,
        per_day=None if per_day is None else round(per_day, 2),
        per_month=None if per_month is None else round(per_month, 2),
        before=before,
        change=change(measure, value, before, CHANGE_DIGITS),
        year_before=year_before,
        year_change=change(measure, value, year_before, CHANGE_DIGITS),
    )


def _rows(rows: Sequence[tuple[date, Counts]], scope: ReportScope) -> list[ReportRow]:
    last = to_date(scope.elapsed.last)
    return [
        ReportRow(date=first, pageviews=of.pageviews, visits=of.visits, visitors=of.visitors)
        for first, of in rows
        if first <= last
    ]


def _list(name: str, numbers: ReportedNumbers, titles: Mapping[PageOfSite, str]) -> ReportList:
    listed, measure = numbers.lists[name], ordered_by(LISTS[name])
    whole = int(numbers.traffic.now.value(measure) or 0)
    if listed.partial and numbers.kept is not None and measure is Measure.VISITS:
        whole = numbers.kept.visits
    whole = max(whole, sum(row.counted for row in listed.rows), 1)
    return ReportList(
        measure=measure.value,
        rows=[
            ReportPart(
                name=row.name,
                title=titles.get((row.site, row.name), ""),
                site=row.site,
                count=row.counted,
                percent=round(100 * row.counted / whole, 1),
            )
            for row in listed.rows
        ],
        problem=listed.problem,
        partial=listed.partial,
        gone=listed.gone,
    )
