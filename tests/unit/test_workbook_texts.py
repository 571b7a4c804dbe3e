"""Texts in a workbook: whatever strangers send, the file opens and shows it."""

import io

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from services.api.stats.reports.workbook import Sheet, workbook
from services.model.display import Lang


def opened(text: str) -> str:
    """Return a text as a spreadsheet reads it from a cell of a workbook."""
    made = workbook([Sheet("Trang", "Trang", ["Trang"], [[text]])], Lang.VI)
    value: str = openpyxl.load_workbook(io.BytesIO(made))["Trang"].cell(4, 1).value
    return str(unescape(value))


@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\r", "\ud800", "\ufffe", "\uffff"])
def test_what_no_xml_may_hold_is_left_out(sign: str) -> None:
    assert opened(f"/tin{sign}-tức") == "/tin-tức"


@pytest.mark.parametrize(
    "text",
    ["/Lists/Tin_x0020_tuc/x.aspx", "_x005F_x0041_", "_x00e9_x0041_", "=1+1", "\U0001f600\n"],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert opened(text) == text
