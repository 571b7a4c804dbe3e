"""The two ends of a link as stored: where it leads, and which page it is on."""

from services.enrich.urls import PageUrl, read_page
from services.model.paths import MAX_BYTES, normalise
from services.model.site import Site


def target_of(page: PageUrl) -> str:
    """Return host and path of an external page, at most 512 bytes, without its query string."""
    path = normalise(page.path)
    return _cut(page.host.removeprefix("www.") + ("" if path == "/" else path))


def linking_page(referrer: str, page: PageUrl, site: Site) -> str:
    """Return the page that led to another: a path on the same host, else host and path; '' for
    none. Of other sites, browsers usually send only the host.
    """
    before = read_page(referrer) if referrer else None
    if before is None:
        return ""
    same = before.host.removeprefix("www.") == page.host.removeprefix("www.")
    if same:
        return site.counted_path(before.path, before.query)
    if site.owns(before.host):
        return _cut(before.host + site.counted_path(before.path, before.query))
    return target_of(before)


def _cut(text: str) -> str:
    return text.encode()[:MAX_BYTES].decode(errors="ignore")
