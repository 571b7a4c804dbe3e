"""The first steps of pipeline.py: whether it is a view, or a download, of a known site."""

from urllib.parse import urljoin

from services.enrich.sender_host import sender_host
from services.enrich.urls import read_page
from services.ingest.context import Outcome, PipelineContext
from services.ingest.draft import Draft
from services.ingest.drops import DropReason
from services.ingest.event import DOWNLOAD, PAGEVIEW, EventError
from services.ingest.senders import may_send
from services.model.downloads import downloads_of


def only_views_and_downloads(draft: Draft, context: PipelineContext) -> Outcome:
    """Events of other names are not counted."""
    return None if draft.event.name in (PAGEVIEW, DOWNLOAD) else DropReason.NOT_A_PAGEVIEW


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


def read_download(draft: Draft, context: PipelineContext) -> Outcome:
    """A download is one of a file on the site's hosts; it is kept apart from the views."""
    if draft.event.name != DOWNLOAD:
        return None
    site, page = draft.site, draft.page
    try:
        file = read_page(urljoin(f"https://{page.host}{page.path}", draft.event.file))
    except ValueError:
        file = None
    if file is None or not site.allows(file.host) or not site.counts_download(file.path):
        return DropReason.NOT_A_DOWNLOAD
    draft.file = file
    draft.kept_as = downloads_of(site.kept_as)
    return None


def refuse_same_page(draft: Draft, context: PipelineContext) -> Outcome:
    """A change of the query is a view only where it leads to another page of the site."""
    before = read_page(draft.event.before) if draft.event.before else None
    if before is None:
        return None
    site, page = draft.site, draft.page
    same = site.counted_path(before.path, before.query) == site.counted_path(page.path, page.query)
    return DropReason.SAME_PAGE if same and before.host == page.host else None
