"""The columns of a table of numbers, and the values of its cells: recognised, or refused."""

import datetime
import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from services.api.counter import paths
from services.api.sites.balances.schemas import MAX_COUNT
from services.http.errors import ApiError, bad_request, shown
from services.model.calendar import EPOCH, Grain
from services.model.hosts import fold
from services.model.site import Site


class NumberColumn(StrEnum):
    """What a column of a table holds."""

    PATH = "path"
    DAY = "day"
    PERIOD = "period"
    VISITS = "visits"
    VIEWS = "views"


_NAMES = {
    NumberColumn.PATH: "path,page,url,address,link,đường dẫn,địa chỉ,trang,liên kết",
    NumberColumn.DAY: "day,date,ngày",
    NumberColumn.PERIOD: "period,kỳ,giai đoạn,thời kỳ",
    NumberColumn.VISITS: "visits,sessions,lượt truy cập,số lượt truy cập,truy cập",
    NumberColumn.VIEWS: "views,pageviews,page views,lượt xem,số lượt xem,lượt đọc,số lượt đọc",
}
_COLUMNS = {
    unicodedata.normalize("NFC", name): column
    for column, names in _NAMES.items()
    for name in names.split(",")
}

# All groups have the same separator: 8.307.145, 8,307,145, 8 307 145.
_GROUPED = re.compile(r"[0-9]{1,3}(?:([.,\u0020\u00a0\u202f])[0-9]{3})(?:\1[0-9]{3})*")
_PLAIN = re.compile(r"[0-9]+")
_ISO = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[ T]00:00(?::00)?)?")
_YEAR = re.compile(r"(?:năm |year )?([0-9]{4})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{1,2})|(?:tháng )?([0-9]{1,2})[/-]([0-9]{4})")
_TOTAL = ("total", "all", "tổng", "tổng cộng", "tổng số", "tất cả")
_DAY_FIRST = re.compile(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4})")


def columns_of(cells: Sequence[Any]) -> tuple[dict[NumberColumn, int], list[str]]:
    """Return the place of each column, by the names in the first line, and the names of others.

    Raises ApiError, 400, if they are not those of a table of days or of pages.
    """
    columns: dict[NumberColumn, int] = {}
    others: list[str] = []
    for place, cell in enumerate(cells):
        name = unicodedata.normalize("NFC", " ".join(text_of(cell).replace("_", " ").split()))
        column = _COLUMNS.get(name.casefold())
        if column is None:
            others += [name] if name else []
        elif column in columns:
            raise bad_request("file", f"the first line names {column} twice; expected it once")
        else:
            columns[column] = place
    counts = columns.keys() & {NumberColumn.VISITS, NumberColumn.VIEWS}
    if NumberColumn.PATH in columns and NumberColumn.VIEWS in columns:
        # A page shows only its views.
        if NumberColumn.VISITS in columns:
            others.append(text_of(cells[columns.pop(NumberColumn.VISITS)]))
        return columns, others
    when = columns.keys() & {NumberColumn.DAY, NumberColumn.PERIOD}
    if NumberColumn.PATH not in columns and when and counts:
        return columns, others
    names = ", ".join(map(shown, map(text_of, cells[:10])))
    raise bad_request(
        "file",
        f"the first line is {names}; expected the names of the columns: path and views, or day or"
        " period with visits, views or both (Vietnamese: đường dẫn, ngày, kỳ, lượt truy cập,"
        " lượt xem)",
    )


def text_of(cell: Any) -> str:
    """Return a cell as text, stripped of surrounding whitespace."""
    return "" if cell is None else str(cell).strip()


def count_of(cell: Any) -> int:
    """Return a count, 0 for an empty cell. Raises ValueError."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = text_of(cell)
    if not text:
        return 0
    if not isinstance(cell, bool) and (_PLAIN.fullmatch(text) or _GROUPED.fullmatch(text)):
        count = int(re.sub("[^0-9]", "", text[:40]))
        if count <= MAX_COUNT:
            return count
    raise ValueError(f"{shown(text)} is no count; expected a whole number from 0 to {MAX_COUNT}")


def day_of(cell: Any) -> datetime.date:
    """Return a day: 2024-01-31, or 31/1/2024. Raises ValueError."""
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date()
    text = text_of(cell)
    try:
        if match := _ISO.fullmatch(text):
            return datetime.date(*map(int, match.groups()))
        if match := _DAY_FIRST.fullmatch(text):
            day, _, month, year = match.groups()
            return datetime.date(int(year), int(month), int(day))
    except ValueError:
        pass
    raise ValueError(f"{shown(text)} is no day; expected for example 2024-01-31 or 31/1/2024")


def period_of(cell: Any) -> tuple[Grain, datetime.date]:
    """Return a period and its first day: total, 2019, 2020-01, or a day. Raises ValueError."""
    if isinstance(cell, datetime.datetime) and cell.day == 1:
        # Excel stores a month as its first day.
        month = f"{cell.year}-{cell.month:02}"
        raise ValueError(
            f"{cell.date()} is a date of Excel: the day, or the whole month? Expected {month} as"
            f" text for the month, or the day in a column 'day'"
        )
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = unicodedata.normalize("NFC", " ".join(text_of(cell).split())).casefold()
    if text in _TOTAL:
        return Grain.TOTAL, EPOCH
    try:
        if match := _YEAR.fullmatch(text):
            return Grain.YEAR, datetime.date(int(match[1]), 1, 1)
        if match := _MONTH.fullmatch(text):
            year, month_of = (match[1], match[2]) if match[1] else (match[4], match[3])
            return Grain.MONTH, datetime.date(int(year), int(month_of), 1)
        return Grain.DAY, day_of(cell)
    except ValueError:
        raise ValueError(
            f"{shown(text_of(cell))} is no period; expected total, a year such as 2019, a month"
            " such as 2020-01 or 1/2020, or a day such as 2024-01-31"
        ) from None


def page_of(cell: Any, site: Site) -> str:
    """Return a page as it is counted, given its path or full URL. Raises ValueError."""
    address = text_of(cell)
    if address.startswith("/") and not address.startswith("//"):
        path = address
    else:
        try:
            parts = urlsplit(address)
            host = parts.hostname or ""
        except ValueError:
            parts, host = urlsplit(""), ""
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError(
                f"{shown(address)} is no page; expected a path that begins with '/', or an"
                " address that begins with https:// or http://"
            )
        if not site.allows(fold(host)):
            raise ValueError(f"{shown(host)} is no host of {site.slug}")
        query, fragment = parts.query and f"?{parts.query}", parts.fragment and f"#{parts.fragment}"
        path = (parts.path or "/") + query + fragment
    if not site.hash_routes:
        path = path.partition("#")[0]
    try:
        return paths.counted(path, site)
    except ApiError as error:
        raise ValueError(error.errors["path"]) from None
