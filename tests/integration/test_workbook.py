"""A workbook as LibreOffice shows it."""

import csv
import subprocess
from datetime import date
from pathlib import Path

import pytest

from services.api.stats.reports.workbook import Month, Percent, Sheet, SheetCell, workbook
from services.model.display import Lang
from tests.require import program

SECONDS = 120
# All sheets as UTF-8, each cell as it is shown.
AS_SHOWN = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,true,false,false,-1"
HEADINGS = ("Trang", "Ngày", "Tháng", "Lượt xem", "Bình quân", "Tăng, giảm", "%")
ROWS: list[list[SheetCell]] = [
    [
        *("/tin-tuc/mở-cửa", date(2024, 3, 9), Month(date(2024, 3, 1)), 1_234_567, 1234.5),
        *(Percent(11, is_change=True), Percent(12.5)),
    ],
    [
        *("=1+1", date(2024, 12, 31), Month(date(2023, 12, 1)), 0, 0.0),
        *(Percent(-3, is_change=True), Percent(100)),
    ],
    ["+84 @x", None, None, None, None, None, None],
]
SHOWN = {
    Lang.VI: [
        ["/tin-tuc/mở-cửa", "9/3/2024", "3/2024", "1.234.567", "1.234,5", "+11%", "12,5%"],
        ["=1+1", "31/12/2024", "12/2023", "0", "0,0", "-3%", "100%"],
    ],
    Lang.EN: [
        ["/tin-tuc/mở-cửa", "9 Mar 2024", "Mar 2024", "1,234,567", "1,234.5", "+11%", "12.5%"],
        ["=1+1", "31 Dec 2024", "Dec 2023", "0", "0.0", "-3%", "100%"],
    ],
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What LibreOffice makes of a workbook in either language."""
    office, folder = program("soffice"), tmp_path_factory.mktemp("office")
    for lang in Lang:
        sheets = [
            Sheet("Tổng hợp", "Một", HEADINGS, ROWS, ["Số liệu được đo từ ngày 1/1/2022."]),
            Sheet("Hai", "Hai", ("Trang",), [["x"]]),
        ]
        (folder / f"{lang}.xlsx").write_bytes(workbook(sheets, lang))
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [office, profile, "--headless", "--convert-to", AS_SHOWN, "--outdir", str(folder)]
    files = [str(folder / f"{lang}.xlsx") for lang in Lang]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=SECONDS)
    return folder


@pytest.mark.parametrize("lang", Lang)
def test_libreoffice_shows_each_cell_as_the_language_writes_it(opened: Path, lang: Lang) -> None:
    shown = (opened / f"{lang}-Tổng hợp.csv").read_text("utf-8")
    rows = list(csv.reader(shown.splitlines()))
    assert rows[0][0] == "Một"
    assert rows[2] == list(HEADINGS)
    assert rows[3:5] == SHOWN[lang]
    assert rows[5] == ["+84 @x", *[""] * 6]
    assert rows[7][0] == "Số liệu được đo từ ngày 1/1/2022."
    assert (opened / f"{lang}-Hai.csv").is_file()
