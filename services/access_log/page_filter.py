"""Which lines of an access log are page views: the only place with this rule.

What a URL shows about itself is in `not_pages.toml`. Bots are not decided here, but by their
User-Agent, as in ingest.
"""

import re
from enum import StrEnum
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

from services.access_log import page_rules
from services.access_log.line import NO_REQUEST, LogLine
from services.model.downloads import ENDINGS, ending_of

_downloads, _parts, _feeds = page_rules.load()
# Liferay: /documents/<group>/<folder>/<name>/<uuid>
_DOCUMENTS = re.compile(r"^(?:/[^/]+){0,2}/documents/(?:\d+|d)/")
_CACHED = 8192
_MAX_CACHED = 256
"""The longest URL that is cached, in characters: most lines repeat a URL from before."""


class NotAPage(StrEnum):
    """Why a line is not a page view."""

    REQUEST = "no HTTP request"
    METHOD = "another method than GET"
    STATUS = "another status than 2xx or 304"
    URL = "unreadable address"
    FILE = "image, script, style or other file"
    DOWNLOAD = "document, a download"
    PART = "part of a page, or a service for programs"
    FEED = "feed"


def is_page(line: LogLine) -> bool:
    """Tell whether a line is a page view: GET, 2xx or 304, and not a file."""
    return not_a_page(line) is None


def not_a_page(line: LogLine) -> NotAPage | None:
    """Return why a line is not a page view; None when it is one."""
    if line.method != "GET":
        return NotAPage.REQUEST if line.method == NO_REQUEST else NotAPage.METHOD
    if not (200 <= line.status < 300 or line.status == 304):
        return NotAPage.STATUS
    if len(line.target) > _MAX_CACHED:
        return _of_address(line.target)
    return _known(line.target)


def _of_address(target: str) -> NotAPage | None:
    if not target.startswith("/"):
        try:
            urlsplit(target)
        except ValueError:
            return NotAPage.URL
        target = path_of(target)
    path, _, query = target.partition("#")[0].partition("?")
    path = path.lower()
    if "//" in path:
        path = re.sub("//+", "/", path)
    name = path.rstrip("/").rpartition("/")[2]
    ending = ending_of(path)
    if ending in ENDINGS:
        return NotAPage.DOWNLOAD
    if ending in _parts.endings:
        return NotAPage.FILE
    values = _values(query) if query else []
    if _feeds.have(path, name, values):
        return NotAPage.FEED
    if _downloads.have(path, name, values):
        return NotAPage.DOWNLOAD
    if _DOCUMENTS.match(path):
        return NotAPage.FILE
    return NotAPage.PART if _parts.have(path, name, values) else None


_known = lru_cache(_CACHED)(_of_address)


def _values(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.lower(), keep_blank_values=True, errors="replace", max_num_fields=200
        )
    except ValueError:
        return []


def path_of(target: str) -> str:
    """Return the path and query of a request target, which is a full URL if sent to a proxy."""
    if target.startswith("/"):
        return target
    _, _, rest = target.partition("://")
    return "/" + rest.partition("/")[2]
