"""The message with a report: as text, as HTML and as a workbook."""

from collections.abc import Sequence
from email.message import EmailMessage
from html import escape

from services.api.dashboard import report_sheets
from services.api.dashboard.language import Language
from services.api.stats.reports.traffic_report import (
    ReportFigure,
    ReportList,
    ReportPart,
    TrafficReport,
)
from services.api.stats.reports.workbook import XLSX, workbook
from services.model.display import Lang


def compose(report: TrafficReport, lang: Lang) -> EmailMessage:
    """Return the message, without sender and receivers."""
    t = Language(lang)
    title, unit = report_sheets.title(report, t), report_sheets.unit(report)
    days = report_sheets.days(report.days, t)
    notes = report_sheets.notes(report, t)
    message = EmailMessage()
    # A name may have separators of lines that a header must not have.
    message["Subject"] = " ".join(f"{title}: {unit}".split())
    message["Auto-Submitted"] = "auto-generated"
    figures = [_figure(one, t) for one in report.figures]
    most_read = [(_page(row), t.number(row.count)) for row in report.pages.rows]
    heads = [t("report.measure"), t("report.value"), t("report.before"), t("report.year_before")]
    lines = [
        unit,
        title,
        days,
        "",
        *(
            f"{name}: {value} ({heads[2]}: {before}; {heads[3]}: {year})"
            for name, value, before, year in figures
        ),
        "",
        *_as_lines(most_read, t),
        *notes,
        "",
        t("report.mail.attached"),
    ]
    message.set_content("\n".join(lines) + "\n")
    html = _html(unit, title, days, heads, figures, notes, _pages(most_read, report.pages, t), t)
    message.add_alternative(html, subtype="html")
    kind, _, subtype = XLSX.partition("/")
    message.add_attachment(
        workbook(report_sheets.sheets(report, t), lang),
        maintype=kind,
        subtype=subtype,
        filename=f"{report.file_name}.xlsx",
    )
    return message


def _page(row: ReportPart) -> str:
    """Return a page in words: of what site it is, its title, and its path."""
    words = [row.site, row.title, row.name]
    return " · ".join(word for word in words if word)


def _as_lines(most_read: Sequence[tuple[str, str]], t: Language) -> list[str]:
    if not most_read:
        return []
    return [t("panel.page"), *(f"{count}: {name}" for name, count in most_read), ""]


def _pages(most_read: Sequence[tuple[str, str]], listed: ReportList, t: Language) -> str:
    """Return the most read pages as HTML; '' for none."""
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td align="right">{escape(count)}</td></tr>'
        for name, count in most_read
    )
    if not rows:
        return ""
    heads = (
        f'<th align="left">{escape(t("by.page"))}</th>'
        f'<th align="right">{escape(t(f"measure.{listed.measure}"))}</th>'
    )
    return (
        f"<h2>{escape(t('panel.page'))}</h2>"
        f'<table cellpadding="6"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _figure(one: ReportFigure, t: Language) -> tuple[str, str, str, str]:
    return (
        t(f"measure.{one.measure}"),
        t.number(one.value),
        _compared(one.before, one.change, t),
        _compared(one.year_before, one.year_change, t),
    )


def _compared(value: int | None, change: float | None, t: Language) -> str:
    text = report_sheets.change_text(change, t)
    return t.number(value) if change is None else f"{t.number(value)}, {text}"


def _html(
    unit: str,
    title: str,
    days: str,
    heads: list[str],
    figures: list[tuple[str, str, str, str]],
    notes: list[str],
    pages: str,
    t: Language,
) -> str:
    head = "".join(f'<th align="left">{escape(one)}</th>' for one in heads)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in figures
    )
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f'<!doctype html><html lang="{t.lang}"><meta charset="utf-8"><body>'
        f"<p>{escape(unit)}</p><h1>{escape(title)}</h1><p>{escape(days)}</p>"
        f'<table cellpadding="6"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{pages}'
        f"<ul>{said}</ul><p>{escape(t('report.mail.attached'))}</p></body></html>"
    )
