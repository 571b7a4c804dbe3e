"""The message with a report: as text, as HTML and as a workbook."""

from email.message import EmailMessage
from html import escape

from services.api.dashboard import report_sheets
from services.api.dashboard.language import Language
from services.api.stats.reports.traffic_report import ReportFigure, TrafficReport
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
        *notes,
        "",
        t("report.mail.attached"),
    ]
    message.set_content("\n".join(lines) + "\n")
    message.add_alternative(_html(unit, title, days, heads, figures, notes, t), subtype="html")
    kind, _, subtype = XLSX.partition("/")
    message.add_attachment(
        workbook(report_sheets.sheets(report, t), lang),
        maintype=kind,
        subtype=subtype,
        filename=f"{report.file_name}.xlsx",
    )
    return message


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
        f'<table cellpadding="6"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"<ul>{said}</ul><p>{escape(t('report.mail.attached'))}</p></body></html>"
    )
