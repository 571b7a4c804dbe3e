"""Entries of the ledger as they are sent and shown."""

import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.api.counter import paths
from services.model.calendar import Grain

MAX_ENTRIES = 100
MAX_COUNT = 10**15
"""The most that entries of one period may add up to; scripts count exactly up to 9·10^15."""
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$"
BULK_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$"
TEXT_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"

Count = Annotated[int, Field(strict=True, ge=-MAX_COUNT, le=MAX_COUNT)]


class NewEntry(BaseModel):
    """An entry as an admin writes it."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=ID_PATTERN, description="chosen by you; entered twice, it counts once")
    path: str = Field("", max_length=paths.MAX_LENGTH, description="a page; '' is the whole site")
    grain: Grain = Field(description="the number it adds to, and no other")
    start: datetime.date | None = Field(
        None, description="first day of the day, month or year; none for the total"
    )
    views: Count = Field(0, description="below zero to take back")
    visits: Count = Field(0, description="below zero to take back")
    reason: str = Field(min_length=1, max_length=500, pattern=TEXT_PATTERN)


class NewEntries(BaseModel):
    """Entries that are entered together, or not at all."""

    model_config = ConfigDict(extra="forbid")

    entries: list[NewEntry] = Field(min_length=1, max_length=MAX_ENTRIES)


class BalanceOut(BaseModel):
    """An entry of the ledger; in the list, a bulk entry is one, with the sums of its lines.

    Of a bulk entry, `path` is one of its pages, and `start` the first of its days.
    """

    id: str
    path: str
    grain: Grain
    start: datetime.date | None
    views: int
    visits: int
    author: str
    at: int = Field(description="when it was entered, milliseconds since 1970, UTC")
    reason: str
    lines: int = Field(0, description="of a bulk entry; 0 for a single one")
    last: datetime.date | None = Field(None, description="the last day of a bulk entry of days")


class Entered(BaseModel):
    """The entries as the ledger has them, and how many of them are new to it."""

    entries: list[BalanceOut]
    added: int


class BalancePage(BaseModel):
    """A page of the list, the oldest entry first, and how many lines the list has in all."""

    entries: list[BalanceOut]
    total: int


class RefusedLine(BaseModel):
    """A line of a file that cannot be entered."""

    line: int = Field(description="its number in the file, from 1; of a workbook, the row")
    why: str


class BulkOut(BaseModel):
    """A bulk entry: the numbers of a file, under one id."""

    id: str
    lines: int = Field(description="entries of the ledger")
    views: int
    visits: int
    first: datetime.date | None = Field(None, description="its first day, where it is of days")
    last: datetime.date | None = None
    added: bool = Field(description="this request changed the ledger, or would without dry_run")
    reversed: bool = Field(description="it was taken back, and counts nothing")


class BulkEntered(BulkOut):
    """A bulk entry, and what was found in the file."""

    dry_run: bool
    format: str
    lines_read: int = Field(description="lines of the file below the names of its columns")
    empty: int = Field(description="lines without a count above 0")
    joined: int = Field(description="lines that add to a page that another line has, too")
    ignored: list[str] = Field(description="names of columns that are not used")
    refused: int = Field(description="lines that cannot be entered")
    refused_lines: list[RefusedLine] = Field(description="the first of them")


class WhyReversed(BaseModel):
    """Why a bulk entry is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, pattern=TEXT_PATTERN)
