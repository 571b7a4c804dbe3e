"""Checks pages and titles that users enter."""

from services.api.counter import paths
from services.api.sites.titles.named_pages import is_host_of
from services.api.sites.titles.page_title import tidy
from services.enrich.urls import read_page
from services.http.errors import bad_request, shown
from services.model.site import Site


def page_of(site: Site, page: str) -> str:
    """Return the path under which a page is counted, given its path or URL.

    Raises ApiError, 400, if it is not a page of the site.
    """
    if page.startswith("/"):
        return paths.counted(page, site)
    address = read_page(page)
    if address is None or not is_host_of(site, address.host):
        message = f"{shown(page)}; expected a path such as /tin-tuc/1, or an address of the site"
        raise bad_request("path", message)
    return site.counted_path(address.path, address.query)


def title_of(given: str) -> str:
    """Return a title as it is stored. Raises ApiError, 400, for an empty one."""
    title = tidy(given)
    if not title:
        raise bad_request("title", f"{shown(given)}; expected a title")
    return title
