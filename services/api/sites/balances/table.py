"""What a table of old numbers says: entries for the ledger, and the lines that are refused."""

import asyncio
import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from services.api.sites.balances.columns import (
    NumberColumn,
    columns_of,
    count_of,
    day_of,
    page_of,
    period_of,
    text_of,
)
from services.api.sites.balances.schemas import MAX_COUNT
from services.api.sites.balances.sheet import TableRow
from services.http.errors import ApiError, bad_request
from services.model.calendar import EPOCH, Grain, to_date, to_day
from services.model.site import Site
from services.store.records.balances import Period

LINES_A_YIELD = 200
_IN_MESSAGE = 20


@dataclass
class OldNumbers:
    """A table that was read.

    kind     its format
    lines    below the column names
    empty    lines without a count above 0: they change nothing
    joined   lines whose page is in another line, too, under another path: they add up
    refused  line numbers, and why each is refused
    ignored  names of columns that are not used
    counts   views and visits by period, in the order of the file
    """

    kind: str
    lines: int = 0
    empty: int = 0
    joined: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    counts: dict[Period, tuple[int, int]] = field(default_factory=dict)

    @property
    def views(self) -> int:
        """The sum of the views of all lines."""
        return sum(views for views, _ in self.counts.values())

    @property
    def visits(self) -> int:
        """The sum of the visits of all lines."""
        return sum(visits for _, visits in self.counts.values())

    @property
    def days(self) -> tuple[datetime.date, datetime.date] | None:
        """The first and the last day; None for totals of pages."""
        starts = [start for _, grain, start in self.counts if grain is Grain.DAY]
        return (to_date(min(starts)), to_date(max(starts))) if starts else None


async def understood(kind: str, rows: Iterable[TableRow], site: Site, today: int) -> OldNumbers:
    """Return what a table says; lets other tasks run in between. Raises ApiError, 400."""
    table = OldNumbers(kind)
    columns: dict[NumberColumn, int] | None = None
    seen: dict[tuple[str, ...], int] = {}
    for place, (number, cells) in enumerate(rows):
        if columns is None:
            columns, table.ignored = columns_of(cells)
            continue
        if place % LINES_A_YIELD == 0:
            await asyncio.sleep(0)
        table.lines += 1
        given = {column: cells[at] if at < len(cells) else None for column, at in columns.items()}
        try:
            _add(table, given, seen, number, site, today)
        except ValueError as error:
            table.refused.append((number, str(error)))
    if not table.lines:
        raise bad_request("file", "holds no line below the names of the columns")
    return table


def require_whole(table: OldNumbers, *, skip_refused: bool) -> None:
    """Raise ApiError, 400, for a table with refused lines, or nothing to enter."""
    if table.refused and not skip_refused:
        lines = {f"line {line}": why for line, why in table.refused[:_IN_MESSAGE]}
        count = f"{len(table.refused)} of {table.lines} lines are refused, so nothing was entered"
        raise ApiError(HTTPStatus.BAD_REQUEST, {"file": count, **lines})
    if not table.counts:
        raise bad_request("file", "holds no count above 0")


def _add(
    table: OldNumbers,
    given: dict[NumberColumn, object],
    seen: dict[tuple[str, ...], int],
    number: int,
    site: Site,
    today: int,
) -> None:
    as_written = tuple(
        text_of(given.get(column))
        for column in (NumberColumn.PATH, NumberColumn.DAY, NumberColumn.PERIOD)
    )
    path = page_of(given[NumberColumn.PATH], site) if NumberColumn.PATH in given else ""
    grain, first = _when(given)
    start = 0 if grain is Grain.TOTAL else to_day(first)
    if not 0 <= start <= today:
        raise ValueError(
            f"{first}; expected a day from {EPOCH} to the site's today, {to_date(today)}"
        )
    views, visits = (
        count_of(given.get(column)) for column in (NumberColumn.VIEWS, NumberColumn.VISITS)
    )
    if before := seen.get(as_written):
        raise ValueError(f"has the same {'page' if path else grain} as line {before}")
    period = (path, grain, start)
    known = table.counts.get(period)
    if known and not path:
        raise ValueError(f"has a {grain} that another line has, too: {first}")
    if known and max(views + known[0], visits + known[1]) > MAX_COUNT:
        raise ValueError(f"makes more than {MAX_COUNT} together with other lines of its page")
    seen[as_written] = number
    if not views and not visits:
        table.empty += 1
        return
    if known:
        table.joined += 1
        views, visits = views + known[0], visits + known[1]
    table.counts[period] = (views, visits)


def _when(given: dict[NumberColumn, object]) -> tuple[Grain, datetime.date]:
    """Return the period of a line and its first day; without one, the total. Raises ValueError."""
    day, period = given.get(NumberColumn.DAY), given.get(NumberColumn.PERIOD)
    if text_of(day) and text_of(period):
        raise ValueError("has a day and a period; expected one of them")
    if NumberColumn.PERIOD in given and not text_of(day):
        return period_of(period)
    if NumberColumn.DAY in given:
        return Grain.DAY, day_of(day)
    return Grain.TOTAL, EPOCH
