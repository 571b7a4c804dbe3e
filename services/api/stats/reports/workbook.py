"""A report as an Excel workbook, which other programs open, too."""

import io
import re
import textwrap
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from services.model.display import Lang

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LOCALES = {Lang.VI: "[$-42A]", Lang.EN: "[$-409]"}
"""Windows locale ids: numbers have the separators of the text's language for every reader."""
_DATES = {Lang.VI: "d/m/yyyy", Lang.EN: "d mmm yyyy"}
_MONTHS = {Lang.VI: "m/yyyy", Lang.EN: "mmm yyyy"}
_FONT = "Calibri"
_LINE = 15.0
"""The height of one line of text, in points."""
_PORTRAIT = 90
"""The characters that fit across a portrait page."""
_WIDEST = 70
_NARROWEST = 11
_MOST_OF_CELL = 32_000
"""Characters; Excel takes 32,767."""
_NOT_IN_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What an XML file must not contain (XML 1.0, section 2.2), and the carriage return. Page paths and
source names are whatever strangers send."""
_LIKE_AN_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
"""Spreadsheets read `_x0020_`, which SharePoint writes into URLs, as a space; escaping the
underscore as `_x005F_` prevents that (ST_Xstring, ECMA-376 part 1, section 22.9.2.19)."""


class Month(NamedTuple):
    """A month, as its first day, shown without the day."""

    first: date


class Percent(NamedTuple):
    """A percentage; shown with its sign if it is a change.

    digits are those after the decimal point; None shows one if it is not 0.
    """

    value: float
    is_change: bool = False
    digits: int | None = None


SheetCell = str | int | float | date | Month | Percent | None


class Sheet(NamedTuple):
    """A table with a title above it and the texts of `notes` below."""

    name: str
    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[SheetCell]]
    notes: Sequence[str] = ()


def workbook(sheets: Sequence[Sheet], lang: Lang) -> bytes:
    """Return the file; texts are never formulas, whatever they begin with."""
    # Importing it takes 0.2 s and 20 MB: do so only when a workbook is wanted.
    import openpyxl
    from openpyxl.styles import Alignment, Font, PatternFill

    book = openpyxl.Workbook()
    book.remove(book.active)
    bold = Font(name=_FONT, size=11, bold=True)
    for sheet in sheets:
        page = book.create_sheet(sheet.name)
        page.append([])
        _put(page.cell(1, 1), sheet.title, lang)
        page.cell(1, 1).font = Font(name=_FONT, size=14, bold=True)
        widths = [_width(sheet, place, lang) for place in range(len(sheet.headings))]
        for place, heading in enumerate(sheet.headings, 1):
            cell = page.cell(3, place)
            _put(cell, heading, lang)
            cell.font = bold
            cell.fill = PatternFill("solid", fgColor="E3F1EF")
            values = [row[place - 1] for row in sheet.rows if place <= len(row)]
            beside = "left" if any(isinstance(value, str) for value in values) else "right"
            cell.alignment = Alignment(
                horizontal=beside,
                vertical="top",
                wrap_text=True,
                indent=_indent(place) if beside == "left" else 0,
            )
            page.column_dimensions[cell.column_letter].width = widths[place - 1]
        # Programs other than Excel leave a row of wrapped text as high as one line.
        page.row_dimensions[3].height = _height(sheet.headings, widths)
        for line, row in enumerate(sheet.rows, 4):
            for place, value in enumerate(row, 1):
                cell = page.cell(line, place)
                _put(cell, value, lang)
                is_text = isinstance(value, str)
                cell.alignment = Alignment(
                    horizontal="left" if is_text else None,
                    vertical="top",
                    wrap_text=is_text,
                    indent=_indent(place) if is_text else 0,
                )
            texts = [value if isinstance(value, str) else "" for value in row]
            if (height := _height(texts, widths)) > _LINE:
                page.row_dimensions[line].height = height
        below = 4 + len(sheet.rows) + 1
        for line, note in enumerate(sheet.notes, below):
            _put(page.cell(line, 1), note, lang)
        page.freeze_panes = "A4"
        page.page_setup.paperSize = page.PAPERSIZE_A4
        # On A4, narrow tables are long: more of their rows fit on a portrait page.
        page.page_setup.orientation = "landscape" if sum(widths) > _PORTRAIT else "portrait"
        page.page_setup.fitToHeight = 0
        page.sheet_properties.pageSetUpPr.fitToPage = True
        page.print_title_rows = "3:3"
        page.oddFooter.center.text = "&P / &N"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _indent(place: int) -> int:
    """Return the indent of a column's texts, to separate them from the numbers to their left."""
    return 1 if place > 1 else 0


def _width(sheet: Sheet, place: int, lang: Lang) -> int:
    """Return how wide a column is, in characters."""
    values = [row[place] for row in sheet.rows if place < len(row)]
    longest = max((len(_shown(value, lang)) for value in values), default=0)
    word = max(map(len, sheet.headings[place].split()), default=0)
    beside = 2 + 2 * _indent(place + 1)
    return min(_WIDEST, max(_NARROWEST, word + beside, longest + beside))


def _height(texts: Sequence[str], widths: Sequence[int]) -> float:
    """Return how high a row of wrapped texts is, in points."""
    lines = (
        len(textwrap.wrap(text, max(1, width - 2)))
        for text, width in zip(texts, widths, strict=False)
    )
    return _LINE * max(1, *lines, 1)


def _shown(value: SheetCell, lang: Lang) -> str:
    """Return roughly what a cell shows, to determine its width."""
    match value:
        case None:
            return ""
        case str():
            return value
        case Percent() | Month():
            return "+100.00%"
        case date():
            return _DATES[lang]
    return f"{value:,.1f}"


def _put(cell: Any, value: SheetCell, lang: Lang) -> None:
    locale = _LOCALES[lang]
    match value:
        case str():
            cell.value = _clean(value)
            # A text that looks like a formula must not become one.
            cell.data_type = "s"
        case Percent(hundredths, is_change, digits):
            cell.value = round(hundredths / 100, 6)
            if digits is None:
                digits = 0 if float(hundredths).is_integer() else 1
            shown = f"0.{'0' * digits}%" if digits else "0%"
            cell.number_format = locale + (f"+{shown};-{shown};{shown}" if is_change else shown)
        case Month(first):
            cell.value = first
            cell.number_format = locale + _MONTHS[lang]
        case date():
            cell.value = value
            cell.number_format = locale + _DATES[lang]
        case float():
            cell.value = value
            cell.number_format = f"{locale}#,##0.0"
        case int():
            cell.value = value
            cell.number_format = f"{locale}#,##0"


def _clean(text: str) -> str:
    """Return a text for a cell: without what XML cannot hold, and truncated if too long."""
    return _LIKE_AN_ESCAPE.sub("_x005F_", _NOT_IN_XML.sub("", text)[:_MOST_OF_CELL])
