"""Titles as a file for spreadsheets: a path and a title on each line, read and written."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.api.sites.balances.sheet import MAX_BYTES, TableRow, rows_of
from services.api.sites.titles.given import page_of, title_of
from services.api.stats import answers
from services.http.errors import ApiError, bad_request
from services.model.site import Site
from services.store.titles import PageTitle

_LINES_A_YIELD = 200
_PAGES = ("/", "http://", "https://")
"""What a line of a page begins with; a first line that does not is a heading."""


@dataclass
class TitleFile:
    """A file that was read.

    titles   of pages, by the path under which they are counted
    refused  numbers of lines, and why each is refused
    """

    titles: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)


async def read(content: bytes, site: Site) -> TitleFile:
    """Return what a file says, CSV or XLSX; other tasks run in between.

    Raises ApiError, 400, for what is no table, or holds no titles.
    """
    if len(content) > MAX_BYTES:
        raise bad_request("file", f"too large; expected at most {MAX_BYTES} bytes")
    rows = await asyncio.to_thread(lambda: list(rows_of(content)[1]))
    file, lines = TitleFile(), dict[str, int]()
    for place, row in enumerate(rows):
        if place % _LINES_A_YIELD == 0:
            await asyncio.sleep(0)
        if place == 0 and not _cell(row, 0).startswith(_PAGES):
            continue
        try:
            _add(file, lines, row, site)
        except ApiError as error:
            file.refused.append((row[0], "; ".join(error.errors.values())))
        except ValueError as error:
            file.refused.append((row[0], str(error)))
    if not file.titles and not file.refused:
        raise bad_request("file", "holds no line with a path and a title")
    return file


def text(rows: Iterable[PageTitle], page: str, title: str) -> str:
    """Return titles as CSV, with these words over the columns; `read` reads the same."""
    # Spreadsheets take a file without the mark for Latin-1.
    head = f'\ufeff"{page}","{title}"\r\n'
    lines = answers.table([{page: one.path, title: one.title} for one in rows])
    return head + lines.partition("\r\n")[2]


def _add(file: TitleFile, lines: dict[str, int], row: TableRow, site: Site) -> None:
    page, title = _cell(row, 0), _cell(row, 1)
    if not page or not title:
        raise ValueError("expected a path and a title")
    path, title = page_of(site, page), title_of(title)
    if file.titles.setdefault(path, title) != title:
        raise ValueError(f"has the same page as line {lines[path]}")
    lines.setdefault(path, row[0])


def _cell(row: TableRow, place: int) -> str:
    """Return a cell as text, as it was before a file of ours kept it from being run."""
    _, cells = row
    value = cells[place] if place < len(cells) else None
    cell = "" if value is None else str(value).strip()
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(answers.FORMULA) else cell
