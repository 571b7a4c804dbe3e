"""The e-mail with a report: as text, as HTML and as an attached workbook."""

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from html import escape

from services.api.dashboard.reports import sheets
from services.api.dashboard.texts.language import Language
from services.api.stats.reports.traffic_report import (
    ReportFigure,
    ReportList,
    ReportPart,
    TrafficReport,
)
from services.api.stats.reports.workbook import XLSX, workbook
from services.model.display import Lang

# Mail clients support style sheets partly or not at all: each cell has its own style.
_BODY = "font: 15px/1.5 sans-serif; max-width: 640px"
_CELL = "padding: 6px 10px 6px 0; border-bottom: 1px solid #ccc; vertical-align: top"


def compose(report: TrafficReport, lang: Lang) -> EmailMessage:
    """Return the message, without sender and recipients."""
    t = Language(lang)
    title, unit = sheets.title(report, t), sheets.unit(report)
    days = sheets.days(report.days, t)
    notes = [sheets.compared(report, t), *sheets.notes(report, t)]
    message = EmailMessage()
    # A name may contain line separators, which a header must not.
    message["Subject"] = " ".join(f"{title}: {unit}".split())
    message["Auto-Submitted"] = "auto-generated"
    figures = [_figure(one, t) for one in report.figures]
    names = sheets.site_names(report)
    most_read = [(_page(row, names), t.number(row.count)) for row in report.pages.rows]
    heads = [t("report.measure"), t("report.value"), t("report.before"), t("report.year_before")]
    lines = [
        unit,
        title,
        days,
        "",
        *(
            f"{name}: {value} ({heads[2]}: {', '.join(before)}; {heads[3]}: {', '.join(year)})"
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
        workbook(sheets.sheets(report, t), lang),
        maintype=kind,
        subtype=subtype,
        filename=f"{report.file_name}.xlsx",
    )
    return message


def _page(row: ReportPart, names: Mapping[str, str]) -> str:
    """Return the text for a page: its site, its title, and its path."""
    words = [names.get(row.site, row.site), row.title, row.name]
    return " · ".join(word for word in words if word)


def _as_lines(most_read: Sequence[tuple[str, str]], t: Language) -> list[str]:
    if not most_read:
        return []
    return [t("panel.page"), *(f"{count}: {name}" for name, count in most_read), ""]


def _pages(most_read: Sequence[tuple[str, str]], listed: ReportList, t: Language) -> str:
    """Return the most read pages as HTML; '' for none."""
    rows = "".join(
        f'<tr><td style="{_CELL}">{escape(name)}</td>'
        f'<td align="right" style="{_CELL}; font-weight: bold">{escape(count)}</td></tr>'
        for name, count in most_read
    )
    if not rows:
        return ""
    heads = (
        f'<th align="left" style="{_CELL}">{escape(t("by.page"))}</th>'
        f'<th align="right" style="{_CELL}">{escape(t(f"measure.{listed.measure}"))}</th>'
    )
    return (
        f'<h2 style="font-size: 16px">{escape(t("panel.page"))}</h2>'
        f'<table style="border-collapse: collapse"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


_Figure = tuple[str, str, Sequence[str], Sequence[str]]
"""A measure and its number, then two comparisons: a number and, if known, the change from it."""


def _figure(one: ReportFigure, t: Language) -> _Figure:
    return (
        t(f"measure.{one.measure}"),
        t.number(one.value),
        _compared(one.before, one.change, t),
        _compared(one.year_before, one.year_change, t),
    )


def _compared(value: int | None, change: float | None, t: Language) -> Sequence[str]:
    known = [] if change is None else [sheets.change_text(change, t)]
    return [t.number(value), *known]


def _html(
    unit: str,
    title: str,
    days: str,
    heads: list[str],
    figures: Sequence[_Figure],
    notes: list[str],
    pages: str,
    t: Language,
) -> str:
    name, *measured = heads
    head = f'<th align="left" style="{_CELL}">{escape(name)}</th>' + "".join(
        f'<th align="right" style="{_CELL}">{escape(one)}</th>' for one in measured
    )
    rows = "".join(
        f'<tr><th align="left" style="{_CELL}; font-weight: normal">{escape(name)}</th>'
        f'<td align="right" style="{_CELL}; font-weight: bold">{escape(value)}</td>'
        + "".join(
            f'<td align="right" style="{_CELL}; white-space: nowrap">'
            f"{'<br>'.join(map(escape, cell))}</td>"
            for cell in compared
        )
        + "</tr>"
        for name, value, *compared in figures
    )
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f'<!doctype html><html lang="{t.lang}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{escape(title)}</title><body style="{_BODY}"><main>'
        f'<p style="margin: 0">{escape(unit)}</p>'
        f'<h1 style="font-size: 20px; margin: 4px 0">{escape(title)}</h1>'
        f'<p style="margin: 0 0 16px">{escape(days)}</p>'
        f'<table style="border-collapse: collapse"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{pages}"
        f"<ul>{said}</ul><p>{escape(t('report.mail.attached'))}</p></main></body></html>"
    )
