"""The path of one hit, from what the browser sent to what is written in the log.

Read `STEPS` from top to bottom; the first ones are in admission.py. What came before it: the body
was read and was not too large (http.py), and it was an event (event.py). What comes after: the
group commit (commit.py).
"""

from services.enrich.agents import cuts_referer, read_agent
from services.enrich.urls import comes_from_site, referring_host, source_of
from services.enrich.visitor_hash import hashed_part, visitor_hash
from services.ingest.admission import ADMISSION
from services.ingest.context import Outcome, PipelineContext, Step
from services.ingest.draft import Draft
from services.ingest.drops import DropReason
from services.ingest.event import EventError
from services.ingest.limits import limit_paths, limit_rate, share_log, spend_budget
from services.model.hit import UNKNOWN_PATH, Hit, Visit
from services.model.kept_apart import Apart


async def process(draft: Draft, context: PipelineContext) -> Hit | DropReason:
    """Take a draft through the steps, up to the first that drops it.

    Raises EventError when its URL is not that of a page, or its token does not cover it.
    """
    for step in STEPS:
        outcome = step(draft, context)
        if outcome is not None:
            if isinstance(outcome, DropReason):
                return outcome
            await outcome
    return Hit(
        site=draft.kept_as,
        path=draft.path,
        at=draft.at,
        day=draft.day,
        visitor=draft.visitor,
        visit=draft.visit,
        bot=draft.bot,
        host=draft.page.host,
        source=draft.source,
        device=draft.agent.device,
        browser=draft.agent.browser,
        os=draft.agent.os,
        country=draft.country,
        region=draft.region,
        view_id=draft.event.view_id,
        own_path=draft.own_path,
        utm_medium=draft.page.utm.medium,
        utm_campaign=draft.page.utm.campaign,
        utm_content=draft.page.utm.content,
        utm_term=draft.page.utm.term,
        utm_source=draft.page.utm.source,
    )


def open_day(draft: Draft, context: PipelineContext) -> Outcome:
    """Find the day in the site's own time zone; the first hit of a day waits for Redis."""
    draft.day = draft.site.day_of(draft.at)
    if context.days.is_open(draft.kept_as, draft.day):
        return None
    return context.days.open(draft.kept_as, draft.day)


def find_address(draft: Draft, context: PipelineContext) -> Outcome:
    """Find the sender: the peer, or whomever a trusted proxy or a server with a token names."""
    if draft.token is not None:
        draft.address = draft.address or context.addresses.vouched(draft.peer, draft.forwarded)
        if not draft.address:
            raise EventError({"ip": ["is required: send the reader's address"]})
    else:
        if draft.forwarded and not context.addresses.trusts(draft.peer):
            context.proxies.note(draft.site.slug, draft.peer)
        draft.address = context.addresses.client(draft.peer, draft.forwarded)
    draft.network, draft.block = context.hashes.of(draft.address)
    return None


def tag_bot(draft: Draft, context: PipelineContext) -> Outcome:
    """Bots stay in the log, tagged."""
    bots, referrer = context.bots, draft.event.referrer
    draft.user_agent, draft.bot = bots.read_sender(draft.headers.get(b"user-agent", b""))
    if referrer and bots.knows_spam and bots.is_spam(referring_host(referrer)):
        draft.bot = True
    return None


def hash_visitor(draft: Draft, context: PipelineContext) -> Outcome:
    """Hash the visitor; one who asks not to be tracked gets no hash, if the site honours that.

    Nor does whatever is kept apart from views, which also has a salt of its own.
    """
    if draft.site.views_only:
        # Known only to this process's memory: the rate limit has to tell readers apart.
        draft.sender = hash((draft.kept_as, hashed_part(draft.address), draft.user_agent))
        return None
    salt = context.salts.known(draft.kept_as, draft.day)
    assert salt is not None, "open_day comes before"  # noqa: S101
    draft.sender = visitor_hash(salt, draft.kept_as, draft.address, draft.user_agent)
    headers = draft.headers
    silent = draft.site.honour_dnt and (
        headers.get(b"dnt") == b"1" or headers.get(b"sec-gpc") == b"1"
    )
    draft.visitor = 0 if silent or draft.apart is not None else draft.sender
    return None


def begin_visit(draft: Draft, context: PipelineContext) -> Outcome:
    """Without a visitor hash, start a visit at a view that does not come from the site itself.

    An image alone says nothing about where its reader was before. What is not a view starts none.
    """
    if draft.apart is not None:
        draft.visit = Visit.CONTINUES
        return None
    if draft.visitor or draft.bot or draft.site.views_only:
        return None
    referrer = draft.event.referrer
    if referrer is None and draft.image:
        return None
    inside = comes_from_site(draft.page, referrer or "", draft.site)
    draft.visit = Visit.CONTINUES if inside else Visit.STARTS
    return None


def fold_path(draft: Draft, context: PipelineContext) -> Outcome:
    """Give each page one path; one that the browser hides is not taken for the home page."""
    if draft.apart is Apart.SEARCHES or draft.target:
        draft.path = draft.target or draft.words
        return None
    page = draft.file or draft.page
    draft.path = draft.site.counted_path(page.path, page.query)
    if draft.event.origin_only and _hides_page(draft):
        draft.path = UNKNOWN_PATH
    return None


def _hides_page(draft: Draft) -> bool:
    """Tell whether the browser sends only the origin of a page, as some do to other sites."""
    near = draft.headers.get(b"sec-fetch-site") in (b"same-origin", b"same-site")
    return not near and cuts_referer(draft.user_agent)


def name_source(draft: Draft, context: PipelineContext) -> Outcome:
    """Name where the visitor came from; for what is kept apart, the page is known already."""
    if draft.apart in (None, Apart.DOWNLOADS):
        draft.source = source_of(draft.page, draft.event.referrer or "", draft.site)
    return None


def name_agent(draft: Draft, context: PipelineContext) -> Outcome:
    """Name device, browser and system, by family; the User-Agent goes no further."""
    draft.agent = read_agent(draft.user_agent)
    return None


def name_place(draft: Draft, context: PipelineContext) -> Outcome:
    """Name country and province; the address goes no further."""
    draft.country, draft.region = context.countries.place(draft.address)
    return None


STEPS: tuple[Step, ...] = (
    *ADMISSION,
    open_day,
    find_address,
    tag_bot,
    hash_visitor,
    limit_rate,
    begin_visit,
    fold_path,
    name_source,
    spend_budget,
    share_log,
    limit_paths,
    name_agent,
    name_place,
)
