"""Renders the pages of the portals, from the files and layouts in their folders."""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import NamedTuple

from services.standalone.demo import panel
from services.standalone.demo.portals import ALL, PORTALS, SAMPLE, Portal, after

LAYOUT = "layout.html"
_FIELDS = re.compile(r"<!-- (.*?) -->\n")
_BODY = "<!-- body -->\n"
_LINK = re.compile(r'href="([^"]*)" data-nav')
_WEEKDAYS = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật")


class DemoPage(NamedTuple):
    """One page: its portal, its path, and what fills its layout."""

    portal: Portal
    path: str
    title: str
    description: str
    content: str


def folder(name: str) -> list[Traversable]:
    """Return the files in a folder of the demo, sorted by name."""
    return sorted((files(__package__) / name).iterdir(), key=lambda file: file.name)


@lru_cache(maxsize=1)
def pages() -> Mapping[str, DemoPage]:
    """Return the pages by path; within each portal, the most popular come first."""
    all_pages = (
        _page(portal, file.read_text("utf-8"))
        for portal in ALL
        for file in folder(portal.name)
        if file.name != LAYOUT
    )
    return {page.path: page for page in all_pages}


def html(page: DemoPage, today: date, origin: str) -> str:
    """Return a page as of a day; `origin` is the one at which the reader reached Luot."""
    layout = (files(__package__) / page.portal.name / LAYOUT).read_text("utf-8")
    head, body = layout.split(_BODY)
    body = Template(body).substitute(
        content=page.content, today=dateline(today), path=page.path, cards=_cards()
    )
    shell = (files(__package__) / "shell.html").read_text("utf-8")
    following = after(page.portal)
    return Template(shell).substitute(
        title=escape(page.title),
        portal=escape(page.portal.title),
        description=escape(page.description),
        name=page.portal.name,
        head=panel.unmarked(head).strip(),
        body=panel.unmarked(_with_current(page, body)).strip(),
        place=_place(page.portal),
        next=following.home,
        next_title=escape(following.title),
        panel=panel.html(page.portal, panel.samples_in(head + body), origin),
    )


def dateline(day: date) -> str:
    """Return a day as portals write it: Thứ Năm, ngày 5 tháng 10 năm 2023."""
    return f"{_WEEKDAYS[day.weekday()]}, ngày {day.day} tháng {day.month} năm {day.year}"


def _page(portal: Portal, source: str) -> DemoPage:
    head = _FIELDS.match(source)
    if head is None:
        raise ValueError("a page of the demo begins with its path, title and description")
    fields = dict(field.split(": ", 1) for field in head[1].split(" | "))
    return DemoPage(portal=portal, content=source[head.end() :].rstrip(), **fields)


def _with_current(page: DemoPage, body: str) -> str:
    """Mark the menu link that leads to this page, or to the list that contains it."""

    def marked(link: re.Match[str]) -> str:
        below = link[1] != page.portal.home and page.path.startswith(link[1] + "/")
        current = ' aria-current="page"' if page.path == link[1] or below else ""
        return f'href="{link[1]}"{current}'

    return _LINK.sub(marked, body)


def _place(portal: Portal) -> str:
    if portal in PORTALS:
        return f"{PORTALS.index(portal) + 1}/{len(PORTALS)} · {escape(portal.title)}"
    return escape(portal.title)


def _cards() -> str:
    return "\n".join(
        f'<li class="card {portal.name}"><a href="{portal.home}">'
        f'<span class="view" aria-hidden="true"><img src="/demo/static/{portal.name}.svg" alt=""'
        ' width="96" height="96"></span>'
        f'<span class="system">{escape(portal.system)}</span>'
        f"<strong>{escape(portal.title)}</strong></a>"
        f"<p>{escape(portal.way)}</p>"
        f'<p class="english" lang="en">{escape(portal.in_short)}</p></li>'
        for portal in (*PORTALS, SAMPLE)
    )
