"""The texts of a report, and the sheets of its workbook."""

from collections.abc import Sequence
from datetime import date

from services.api.dashboard.texts.kept import kept_in_report
from services.api.dashboard.texts.language import Language
from services.api.stats.reports.traffic_report import (
    CHANGE_DIGITS,
    ReportDays,
    ReportedSite,
    ReportList,
    TrafficReport,
)
from services.api.stats.reports.workbook import Month, Percent, Sheet, SheetCell

_HALF = 6
_QUARTER = 3
_ROMAN = ("I", "II", "III", "IV")
_REPORT = "report_"
_FIRST_OF_REPORT = 15


def title(report: TrafficReport, t: Language) -> str:
    """Return the title of the report, such as: the report of March 2026."""
    last = report.days.last
    kind = report.period.removeprefix(_REPORT)
    match kind:
        case "month":
            text = t("report.month", name=_in_text(t.month(last.replace(day=1))))
        case "quarter":
            number = _ROMAN[(last.month - 1) // _QUARTER]
            text = t("report.quarter", number=number, year=last.year)
        case "half":
            key = "report.half.first" if last.month <= _HALF else "report.half.second"
            text = t(key, year=last.year)
        case "nine_months":
            text = t("report.nine_months", year=last.year)
        case "year":
            text = t("report.year", year=last.year)
        case _:
            text = t("report.custom")
    return text


def _in_text(name: str) -> str:
    """Return the name of a month within a sentence: tháng 3/2026, Mar 2026."""
    return name[0].lower() + name[1:] if name.startswith("Tháng") else name


def unit(report: TrafficReport) -> str:
    """Return the name of the site or group."""
    return report.sites[0].name if report.group is None else report.group.name


def days(of: ReportDays, t: Language) -> str:
    """Return a span of days as text."""
    return f"{t.date_of(of.first)} – {t.date_of(of.last)}"


def is_from_15th(report: TrafficReport) -> bool:
    """Tell whether months of the report begin on the 15th."""
    return report.days.first.day == _FIRST_OF_REPORT and report.period.startswith(_REPORT)


def month(first: date, report: TrafficReport, t: Language) -> str:
    """Return a month as text; a month that ends on the 14th is named after the month of its end."""
    return t.month(named_by(first, report))


def named_by(first: date, report: TrafficReport) -> date:
    """Return the first of the calendar month after which a month of the report is named."""
    if not is_from_15th(report):
        return first
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def notes(report: TrafficReport, t: Language) -> list[str]:
    """Return the notes that the numbers need."""
    said = []
    days_known = report.known_days
    if report.is_running:
        at = t.moment(int(report.at.timestamp() * 1000), str(report.at.tzinfo))
        said.append(t("report.note.running", at=at, day=t.date_of(report.until)))
        days_known = max(1, days_known - 1)
    elif not report.is_over:
        said.append(t("report.note.under_way", day=t.date_of(report.until)))
    since = report.counted_since
    said.append(t("report.note.since", day=t.date_of(since)) if since else t("report.note.never"))
    said += [t("report.note.gap", days=days(gap, t)) for gap in report.uncounted]
    if 0 < report.known_days < (report.until - report.days.first).days + 1:
        said.append(t("report.note.known_days", count=days_known))
    if any(one.before is None for one in report.figures):
        said.append(t("report.note.before", days=days(report.before, t)))
    if any(one.year_before is None for one in report.figures):
        said.append(t("report.note.year_before", days=days(report.year_before, t)))
    for one in report.compared:
        changes = (
            f"{t(f'measure.{measure}')} {change_text(change, t)}"
            for measure, change in one.changes.items()
        )
        of_before = one.against == "before"
        key = "report.note.compared.before" if of_before else "report.note.compared.year_before"
        said.append(t(key, count=one.sites, left=one.left_out, changes=", ".join(changes)))
    opening = report.opening
    if opening.views or opening.visits:
        key = "report.note.opening.in" if opening.included else "report.note.opening.apart"
        views, visits = t.number(opening.views), t.number(opening.visits)
        said.append(t(key, views=views, visits=visits))
    if report.group is not None:
        said.append(t("report.note.several", count=len(report.sites)))
        count = sum(one.counted_since is None for one in report.sites)
        if count:
            said.append(t("report.note.uncounted", count=count))
    if text := kept_in_report(report, t):
        said.append(text)
    return said


def compared(report: TrafficReport, t: Language) -> str:
    """Return which days the period is compared with."""
    before, year = days(report.before, t), days(report.year_before, t)
    return t("report.compared", before=before, year=year)


def site_names(report: TrafficReport) -> dict[str, str]:
    """Return the names of the sites of a group, by slug; empty for a report of one site."""
    return {one.slug: one.name for one in report.sites} if report.group else {}


def change_text(change: float | None, t: Language) -> str:
    """Return a change in words, for print: tăng 11%; a dash if it is unknown."""
    if change is None:
        return "–"
    if not change:
        return t("change.same")
    key = "change.up" if change > 0 else "change.down"
    return t(key, change=t.percent(abs(change), CHANGE_DIGITS))


def meanings(t: Language) -> list[tuple[str, str]]:
    """Return each measure, and what it means."""
    return [
        (t("measure.pageviews"), t("report.means.pageviews")),
        (t("measure.visits"), t("report.means.visits")),
        (t("measure.visitors"), t("report.means.visitors")),
        (t("measure.downloads"), t("report.means.downloads")),
    ]


def lists(report: TrafficReport) -> list[tuple[str, str, ReportList]]:
    """Return each breakdown of the traffic: its panel, the key of its sheet's name, its rows."""
    return [
        ("page", "report.sheet.pages", report.pages),
        ("source", "report.sheet.sources", report.sources),
        ("device", "report.sheet.devices", report.devices),
    ]


def sites_in_order(report: TrafficReport) -> list[ReportedSite]:
    """Return the sites of a group, the one with the most views first."""
    return sorted(report.sites, key=lambda one: (-one.pageviews, one.name, one.slug))


def part_name(panel: str, name: str, t: Language) -> str:
    """Return the display name of a row of a list."""
    known = t.known(f"value.{name}", name)
    return t.known(f"device.{name}", known) if panel == "device" else known


def sheets(report: TrafficReport, t: Language) -> list[Sheet]:
    """Return the sheets: summary, the sites of a group, days, months, lists, notes."""
    head = f"{unit(report)} · {title(report, t)} ({days(report.days, t)})"
    counted = [t("measure.pageviews"), t("measure.visits"), t("measure.visitors")]
    per_month = any(one.per_month is not None for one in report.figures)
    headings = [
        t("report.measure"),
        t("report.value"),
        t("report.per_day"),
        *([t("report.per_month")] if per_month else []),
        t("report.before"),
        t("report.change"),
        t("report.year_before"),
        t("report.change"),
    ]
    summary: list[Sequence[SheetCell]] = [
        [
            t(f"measure.{one.measure}"),
            one.value,
            one.per_day,
            *([one.per_month] if per_month else []),
            one.before,
            _change(one.change),
            one.year_before,
            _change(one.year_change),
        ]
        for one in report.figures
    ]
    by_day: list[Sequence[SheetCell]] = [
        [row.date, row.pageviews, row.visits, row.visitors] for row in report.by_day
    ]
    by_month: list[Sequence[SheetCell]] = [
        [
            Month(named_by(row.date, report)),
            row.pageviews,
            row.visits,
            row.visitors,
        ]
        for row in report.by_month
    ]
    return [
        Sheet(
            t("report.sheet.summary"),
            head,
            headings,
            summary,
            [compared(report, t), *notes(report, t)],
        ),
        *([_of_sites(report, head, t)] if report.group else []),
        Sheet(t("report.sheet.days"), head, [t("report.day"), *counted], by_day),
        Sheet(t("report.sheet.months"), head, [t("report.month_of"), *counted], by_month),
        *(_of_list(report, panel, name, rows, head, t) for panel, name, rows in lists(report)),
        Sheet(
            t("report.sheet.notes"),
            head,
            [t("report.measure"), t("report.meaning")],
            [*meanings(t), *(("", note) for note in notes(report, t))],
        ),
    ]


def _of_sites(report: TrafficReport, head: str, t: Language) -> Sheet:
    changes = (t("report.change.before"), t("report.change.year"))
    headings = [
        t("report.rank"),
        t("report.site"),
        t("report.slug"),
        t("measure.pageviews"),
        *changes,
        t("measure.visits"),
        *changes,
        t("measure.visitors"),
        t("report.since"),
    ]
    rows: list[Sequence[SheetCell]] = [
        [
            rank,
            one.name,
            one.slug,
            one.pageviews,
            _change(one.pageviews_change),
            _change(one.pageviews_year_change),
            one.visits,
            _change(one.visits_change),
            _change(one.visits_year_change),
            one.visitors,
            one.counted_since,
        ]
        for rank, one in enumerate(sites_in_order(report), 1)
    ]
    return Sheet(t("report.sheet.sites"), head, headings, rows)


def _change(value: float | None) -> Percent | None:
    return None if value is None else Percent(value, is_change=True, digits=CHANGE_DIGITS)


def _of_list(
    report: TrafficReport, panel: str, name: str, listed: ReportList, head: str, t: Language
) -> Sheet:
    names = site_names(report) if panel == "page" else {}
    titled = any(row.title for row in listed.rows)
    headings = [t(f"by.{panel}"), t(f"measure.{listed.measure}"), t("measure.share")]
    rows: list[list[SheetCell]] = [
        [
            *([names.get(row.site, row.site)] if names else []),
            part_name(panel, row.name, t),
            *([row.title] if titled else []),
            row.count,
            Percent(row.percent),
        ]
        for row in listed.rows
    ]
    if titled:
        headings.insert(1, t("titles.title"))
    if names:
        headings.insert(0, t("report.site"))
    said = [t("report.list.some" if rows else "panel.refused")] if listed.problem else []
    if listed.partial or listed.gone:
        said.append(kept_in_report(report, t))
    return Sheet(t(name), head, headings, rows, said)
