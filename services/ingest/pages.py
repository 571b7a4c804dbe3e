"""Where a view happened and where the visitor came from, read from URLs."""

import re
from functools import lru_cache
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec

from services.model.paths import clean
from services.model.site import ANY_HOST, Site

MAX_SOURCE = 100
_HOST = re.compile(r"[^\s/?#@\\\x00-\x20\x7f]{1,253}")
_CAMPAIGN = ("utm_source", "source", "ref")


class Page(msgspec.Struct, frozen=True, gc=False):
    """A page's URL in parts, as they came; the host is in lower case.

    campaign  what the URL itself names as its source, '' when it names none
    """

    host: str
    path: str
    query: str
    campaign: str


@lru_cache(maxsize=8192)
def read_page(url: str) -> Page | None:
    """Return the parts of an http or https URL, or None when it is not one."""
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        return None
    host = _host(parts)
    return Page(host, parts.path, parts.query, _campaign(parts.query)) if host else None


@lru_cache(maxsize=8192)
def referring_host(referrer: str) -> str:
    """Return the host name a referrer names, without `www.`; '' when it names none."""
    parts = _split(referrer)
    if parts is None or parts.scheme not in ("http", "https", "android-app"):
        return ""
    return _host(parts).removeprefix("www.")[:MAX_SOURCE]


def source_of(page: Page, referrer: str, site: Site) -> str:
    """Return where a view came from: a campaign, another host, or '' for the site itself."""
    if page.campaign:
        return page.campaign
    host = referring_host(referrer) if referrer else ""
    if not host or host == page.host.removeprefix("www."):
        return ""
    return "" if ANY_HOST not in site.hosts and site.allows(host) else host


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url.strip())
    except ValueError:
        return None


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    return host if _HOST.fullmatch(host) else ""


def _campaign(query: str) -> str:
    if not any(f"{name}=" in query for name in _CAMPAIGN):
        return ""
    found = dict(reversed(parse_qsl(query)))
    named = next((found[name] for name in _CAMPAIGN if found.get(name)), "")
    return clean(named).strip()[:MAX_SOURCE]
