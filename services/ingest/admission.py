"""The first steps of pipeline.py: is it a view of a known site, or something counted apart?"""

from urllib.parse import urljoin

from services.enrich.links import linking_page, target_of
from services.enrich.sender_host import sender_host
from services.enrich.urls import PageUrl, read_page
from services.ingest import event
from services.ingest.context import Outcome, PipelineContext, Step
from services.ingest.draft import Draft
from services.ingest.drops import DropReason
from services.ingest.event import EventError
from services.ingest.senders import may_send
from services.model.kept_apart import Apart, name_of

_COUNTED = frozenset({event.PAGEVIEW, event.NOT_FOUND, event.DOWNLOAD, event.OUTBOUND})


def only_what_counts(draft: Draft, context: PipelineContext) -> Outcome:
    """Drop events whose name is not one that is counted."""
    return None if draft.event.name in _COUNTED else DropReason.NOT_A_PAGEVIEW


def read_url(draft: Draft, context: PipelineContext) -> Outcome:
    """A page has an http or https URL with a host."""
    url = draft.event.url
    if url.startswith("/"):
        url = context.sites.completed(url, draft.event.domain)
    page = read_page(url)
    if page is None:
        raise EventError({"url": ["is not the http or https URL of a page"]})
    draft.page = page
    return None


def find_site(draft: Draft, context: PipelineContext) -> Outcome:
    """The site is named by the event, or else by the page's host."""
    site = context.sites.find(draft.event.domain or draft.page.host)
    if site is None:
        return DropReason.UNKNOWN_SITE
    if draft.token is not None and not may_send(draft.token, site.slugs):
        raise EventError({"domain": ["is not a site of this token"]})
    draft.site = site
    draft.kept_as = site.kept_as
    return None


def allow_host(draft: Draft, context: PipelineContext) -> Outcome:
    """A site is counted from its own hosts only."""
    return None if draft.site.allows(draft.page.host) else context.foreign.refuse(draft.site)


def refuse_foreign_page(draft: Draft, context: PipelineContext) -> Outcome:
    """The page that sends a hit is one of the site; a server with a token has no page."""
    if draft.token is not None:
        return None
    host = sender_host(draft.headers)
    if not host or host == draft.page.host or draft.site.allows(host):
        return None
    return context.foreign.refuse(draft.site)


def leave_out_excluded(draft: Draft, context: PipelineContext) -> Outcome:
    """A page that the site excludes is counted nowhere, and neither are its downloads."""
    site = draft.site
    if not site.excluded_pages:
        return None
    for page in filter(None, (draft.page, draft.file)):
        if site.excludes(site.counted_path(page.path, page.query)):
            return DropReason.EXCLUDED
    return None


def refuse_prefetch(draft: Draft, context: PipelineContext) -> Outcome:
    """Nobody has seen a page that a browser only prefetched."""
    headers = draft.headers
    for name in (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"):
        value = headers.get(name)
        if value and (b"prefetch" in value or b"prerender" in value or b"preview" in value):
            return DropReason.PREFETCH
    return None


def tell_apart(draft: Draft, context: PipelineContext) -> Outcome:
    """Keep what is not a view apart from the views, with the page that led to it."""
    match draft.event.name:
        case event.DOWNLOAD:
            return _download(draft, _linked(draft))
        case event.OUTBOUND:
            return _outbound(draft, _linked(draft))
        case event.NOT_FOUND:
            keep_apart(draft, Apart.NOT_FOUND)
            return None
    if draft.site.search_parameters:
        words = draft.site.searched(draft.page.path, draft.page.query)
        # Paging through the results, or going back to them, is not another search.
        draft.words = words if words != _words_before(draft, draft.event.referrer) else ""
    return None


def keep_apart(draft: Draft, kind: Apart) -> None:
    """Mark a draft as one of a kind kept apart, with the page that it comes from."""
    draft.apart = kind
    draft.kept_as = name_of(draft.site.kept_as, kind)
    page, site = draft.page, draft.site
    if kind is Apart.OUTBOUND:
        draft.source = site.counted_path(page.path, page.query)
    elif kind is not Apart.DOWNLOADS:
        draft.source = linking_page(draft.event.referrer or "", page, site)


def _linked(draft: Draft) -> PageUrl | None:
    """Return where a link of the page leads; None when that is not a page."""
    page = draft.page
    try:
        return read_page(urljoin(f"https://{page.host}{page.path}", draft.event.link))
    except ValueError:
        return None


def _download(draft: Draft, file: PageUrl | None) -> Outcome:
    """Count a download only if the file is on one of the site's hosts."""
    site = draft.site
    if file is None or not site.allows(file.host) or not site.counts_download(file.path):
        return DropReason.NOT_A_DOWNLOAD
    draft.file = file
    keep_apart(draft, Apart.DOWNLOADS)
    return None


def _outbound(draft: Draft, linked: PageUrl | None) -> Outcome:
    """Treat a file on another host of the site as a download: the script knows only one host."""
    if linked is None:
        return DropReason.NOT_OUTBOUND
    site, here = draft.site, draft.page.host.removeprefix("www.")
    if linked.host.removeprefix("www.") == here or site.owns(linked.host):
        return DropReason.NOT_OUTBOUND if _download(draft, linked) else None
    draft.target = target_of(linked)
    keep_apart(draft, Apart.OUTBOUND)
    return None


def refuse_same_page(draft: Draft, context: PipelineContext) -> Outcome:
    """Drop a change of the query string that does not lead to another page of the site.

    If it changes the search terms, it counts as a search.
    """
    before = read_page(draft.event.before) if draft.event.before else None
    if before is None:
        return None
    site, page = draft.site, draft.page
    same = site.counted_path(before.path, before.query) == site.counted_path(page.path, page.query)
    if not same or before.host != page.host:
        return None
    if draft.words and draft.words != _words_before(draft, draft.event.before):
        keep_apart(draft, Apart.SEARCHES)
        return None
    return DropReason.SAME_PAGE


def _words_before(draft: Draft, url: str | None) -> str:
    """Return the search terms of the previous page, from its URL."""
    before = read_page(url) if url else None
    if before is None or before.host != draft.page.host:
        return ""
    return draft.site.searched(before.path, before.query)


ADMISSION: tuple[Step, ...] = (
    only_what_counts,
    read_url,
    find_site,
    allow_host,
    refuse_foreign_page,
    refuse_prefetch,
    tell_apart,
    leave_out_excluded,
    refuse_same_page,
)
"""The first steps of a hit, in order."""
