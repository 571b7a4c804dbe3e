"""The demo portal: pages of a made-up Vietnamese city that carry the counter, under /demo."""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.model.site import DEFAULT_TIMEZONE

SITE = "demo"
NAME = "Cổng thông tin điện tử thành phố Mẫu"
ROOT = "/demo"

MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEAD = re.compile(r"<!-- (.*?) -->\n")
_WEEKDAYS = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật")


class Page(NamedTuple):
    """One page: where it is, and what is filled into the layout."""

    path: str
    section: str
    title: str
    description: str
    content: str


class Document(NamedTuple):
    """What is sent for one path."""

    body: bytes
    media_type: str
    etag: str
    max_age: int


def _page(source: str) -> Page:
    head = _HEAD.match(source)
    if head is None:
        raise ValueError("a page of the demo portal begins with its path, section and title")
    fields = dict(field.split(": ", 1) for field in head[1].split(" | "))
    return Page(content=source[head.end() :].rstrip(), **fields)


def _files(folder: str) -> list[Traversable]:
    return sorted((files(__package__) / folder).iterdir(), key=lambda file: file.name)


@lru_cache(maxsize=1)
def pages() -> dict[str, Page]:
    """Return the pages by path, the most popular first: home, list, articles, the others."""
    found = [_page(file.read_text("utf-8")) for file in _files("pages")]

    def popularity(page: Page) -> tuple[int, str]:
        sections = ("home", "news", "services", "contact", "about")
        return sections.index(page.section), page.path

    return {page.path: page for page in sorted(found, key=popularity)}


@lru_cache(maxsize=1)
def assets() -> dict[str, Document]:
    """Return styles and pictures by path."""
    return {
        f"{ROOT}/static/{file.name}": _document(file.read_bytes(), file.name, max_age=3600)
        for file in _files("static")
    }


@lru_cache(maxsize=64)
def _rendered(path: str, today: date) -> Document:
    page = pages()[path]
    layout = (files(__package__) / "layout.html").read_text("utf-8")
    html = Template(layout).substitute(
        title=page.title,
        description=page.description,
        content=page.content,
        today=dateline(today),
    )
    html = html.replace(f'data-section="{page.section}"', 'aria-current="page"')
    return _document(html.encode(), "page.html", max_age=0)


def _document(body: bytes, name: str, max_age: int) -> Document:
    etag = f'"{blake2b(body, digest_size=9).hexdigest()}"'
    return Document(body, MEDIA_TYPES[name.rpartition(".")[2]], etag, max_age)


def document(path: str, now: datetime | None = None) -> Document | None:
    """Return the page or asset at a path, as of now on the city's clock; None if there is none."""
    folded = path.rstrip("/")
    if folded in pages():
        local = (now or datetime.now(UTC)).astimezone(ZoneInfo(DEFAULT_TIMEZONE))
        return _rendered(folded, local.date())
    return assets().get(path)


def dateline(day: date) -> str:
    """Return a day as portals write it: Thứ Năm, ngày 5 tháng 10 năm 2023."""
    return f"{_WEEKDAYS[day.weekday()]}, ngày {day.day} tháng {day.month} năm {day.year}"
