"""Titles as a file for spreadsheets: a path and a title on each line, read and written."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from services.api.sites.balances.sheet import MAX_BYTES, TableRow, rows_of
from services.api.sites.titles.given import page_of, title_of
from services.api.stats import answers
from services.http.errors import ApiError, bad_request
from services.model.site import Site
from services.store.records.titles import PageTitle

_LINES_A_YIELD = 200
_PAGES = ("/", "http://", "https://")
"""What the line of a page begins with; a first line that does not is a heading."""


@dataclass
class TitleFile:
    """A file that was read.

    titles   of pages, by the path under which they are counted
    refused  line numbers, and why each is refused
    """

    titles: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)


class TitleLine(NamedTuple):
    """A line of a file: its number, and a page and a title, '' if missing."""

    number: int
    page: str
    title: str

    @property
    def lacks(self) -> str:
        """Why it is not a title of a page, in words; '' if it may be one."""
        return "" if self.page and self.title else "expected a path and a title"


async def read(content: bytes, site: Site) -> TitleFile:
    """Return what a file says, CSV or XLSX; lets other tasks run in between.

    Raises ApiError, 400, if it is not a table, or holds no titles.
    """
    rows = await asyncio.to_thread(lines_of, content)
    file, lines = TitleFile(), dict[str, int]()
    for place, row in enumerate(rows):
        if place % _LINES_A_YIELD == 0:
            await asyncio.sleep(0)
        try:
            _add(file, lines, row, site)
        except ApiError as error:
            file.refused.append((row.number, "; ".join(error.errors.values())))
        except ValueError as error:
            file.refused.append((row.number, str(error)))
    return file


def lines_of(content: bytes) -> list[TitleLine]:
    """Return the lines of a file, CSV or XLSX, below its heading, if it has one.

    Raises ApiError, 400, if it is not a table, or holds no lines.
    """
    if len(content) > MAX_BYTES:
        raise bad_request("file", f"too large; expected at most {MAX_BYTES} bytes")
    rows = rows_of(content, of_texts=True)[1]
    lines = [TitleLine(row[0], _cell(row, 0), _cell(row, 1)) for row in rows]
    if lines and not lines[0].page.startswith(_PAGES):
        del lines[0]
    if not lines:
        raise bad_request("file", "holds no line with a path and a title")
    return lines


def text(rows: Iterable[PageTitle], page: str, title: str) -> str:
    """Return titles as CSV, with these column headings; `read` reads it back."""
    # Spreadsheets take a file without a byte order mark for Latin-1.
    head = f'\ufeff"{page}","{title}"\r\n'
    lines = answers.table([{page: one.path, title: one.title} for one in rows])
    return head + lines.partition("\r\n")[2]


def _add(file: TitleFile, lines: dict[str, int], row: TitleLine, site: Site) -> None:
    if row.lacks:
        raise ValueError(row.lacks)
    path, title = page_of(site, row.page), title_of(row.title)
    if file.titles.setdefault(path, title) != title:
        raise ValueError(f"has the same page as line {lines[path]}")
    lines.setdefault(path, row.number)


def _cell(row: TableRow, place: int) -> str:
    """Return a cell as text, without the apostrophe by which our files prevent formulas."""
    _, cells = row
    value = cells[place] if place < len(cells) else None
    cell = "" if value is None else str(value).strip()
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(answers.FORMULA) else cell
