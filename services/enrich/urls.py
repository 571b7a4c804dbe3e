"""Where a view happened and where the visitor came from, read from URLs."""

import re
from sys import getsizeof
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec

from services.model.bounded_cache import BoundedCache
from services.model.hosts import fold
from services.model.paths import clean, is_route
from services.model.site import ANY_HOST, Site

MAX_SOURCE = 100
MAX_CACHED = 1024
"""The longest URL that is cached, in characters; longer ones would push out many others."""
_PAGES_BYTES = 4 << 20
_HOSTS_BYTES = 2 << 20
_HOST = re.compile(r"[^\s/?#@\\\x00-\x20\x7f]{1,253}")
_CAMPAIGN = "utm_source"
_GUESSED = ("source", "ref")


class Utm(NamedTuple):
    """A URL's utm_medium, utm_campaign and so on, at most MAX_SOURCE characters each."""

    medium: str = ""
    campaign: str = ""
    content: str = ""
    term: str = ""
    source: str = ""


NO_UTM = Utm()


class PageUrl(msgspec.Struct, frozen=True, gc=False):
    """The parts of a page's URL, unchanged except that the host is in lower case.

    query     with the fragment, if that is a route
    campaign  the source that the URL itself names; '' if it names none
    campaign_is_guessed  whether it is from a parameter that may also mean something else
    utm       what else the URL says about its campaign
    """

    host: str
    path: str
    query: str
    campaign: str
    campaign_is_guessed: bool = False
    utm: Utm = NO_UTM


def read_page(url: str) -> PageUrl | None:
    """Return the parts of an http or https URL, or None when it is not one."""
    page = _known_pages.young(url) or _known_pages.get(url)
    if page is None:
        page = _page(url)
        if page is not None and len(url) <= MAX_CACHED:
            _known_pages.put(url, page)
    return page


def _page(url: str) -> PageUrl | None:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        return None
    host = _host(parts)
    query = f"{parts.query}#{parts.fragment}" if is_route(parts.fragment) else parts.query
    return (
        PageUrl(host, parts.path, query, *_campaign(parts.query), _utm(parts.query))
        if host
        else None
    )


def _page_bytes(url: str, page: PageUrl) -> int:
    texts = [url, page.host, page.path, page.query, page.campaign]
    if page.utm is not NO_UTM:
        texts += page.utm
    return getsizeof(page) + sum(map(getsizeof, texts))


_known_pages = BoundedCache(_PAGES_BYTES, _page_bytes)


def referring_host(referrer: str) -> str:
    """Return the host name in a referrer, without `www.`; '' if there is none."""
    host = _known_hosts.young(referrer)
    if host is None:
        host = _known_hosts.get(referrer)
    if host is None:
        host = _referring_host(referrer)
        if len(referrer) <= MAX_CACHED:
            _known_hosts.put(referrer, host)
    return host


def _referring_host(referrer: str) -> str:
    parts = _split(referrer)
    if parts is None or parts.scheme not in ("http", "https", "android-app"):
        return ""
    return _host(parts).removeprefix("www.")[:MAX_SOURCE]


def _host_bytes(referrer: str, host: str) -> int:
    return getsizeof(referrer) + getsizeof(host)


_known_hosts = BoundedCache(_HOSTS_BYTES, _host_bytes)


def source_of(page: PageUrl, referrer: str, site: Site) -> str:
    """Return where a view came from: a campaign, another host, or '' for the site itself."""
    host = referring_host(referrer) if referrer else ""
    own = _is_of_site(host, page, site)
    # Portals themselves use parameters with these names; in their own links, they are no campaign.
    if page.campaign and not (own and page.campaign_is_guessed):
        return page.campaign
    return "" if own else host


def comes_from_site(page: PageUrl, referrer: str, site: Site) -> bool:
    """Tell whether the previous page belongs to the site."""
    return _is_of_site(referring_host(referrer) if referrer else "", page, site)


def _is_of_site(host: str, page: PageUrl, site: Site) -> bool:
    if host == page.host.removeprefix("www."):
        return host != ""
    return host != "" and ANY_HOST not in site.hosts and site.allows(host)


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url.strip())
    except ValueError:
        return None


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    # Browsers send ASCII; other programs may send other letters and invisible characters.
    host = host if host.isascii() else fold(host)
    return host if _HOST.fullmatch(host) else ""


def _campaign(query: str) -> tuple[str, bool]:
    """Return the campaign, and whether it is guessed."""
    if not any(f"{name}=" in query for name in (_CAMPAIGN, *_GUESSED)):
        return "", False
    values = dict(reversed(parse_qsl(query)))
    for name in (_CAMPAIGN, *_GUESSED):
        if value := values.get(name):
            return clean(value).strip()[:MAX_SOURCE], name != _CAMPAIGN
    return "", False


def _utm(query: str) -> Utm:
    if "utm_" not in query:
        return NO_UTM
    values = dict(reversed(parse_qsl(query)))
    return Utm(*(clean(values.get(f"utm_{name}", "")).strip()[:MAX_SOURCE] for name in Utm._fields))
