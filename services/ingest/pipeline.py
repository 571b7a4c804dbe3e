"""The path of one hit, from what the browser sent to what is written in the log.

Read `STEPS` from top to bottom. What came before it: the body was read and was not too large
(http.py), and it was an event (event.py). What comes after: the group commit (commit.py).
"""

from collections.abc import Awaitable, Callable

import msgspec

from services.enrich.agents import cuts_referer, read_agent
from services.enrich.bots import Bots
from services.enrich.country import Countries
from services.enrich.sender_host import sender_host
from services.enrich.urls import comes_from_site, read_page, referring_host, source_of
from services.enrich.visitor_hash import hashed_part, visitor_hash
from services.http.client_address import Addresses
from services.ingest import metrics
from services.ingest.bot_room import BotRoom
from services.ingest.budgets import AddressBudgets, Ruling
from services.ingest.cardinality import CardinalityLimiter
from services.ingest.days import Days
from services.ingest.draft import Draft
from services.ingest.drops import DropReason
from services.ingest.event import PAGEVIEW, EventError
from services.ingest.networks import AddressHashes
from services.ingest.over_budget import OverBudget
from services.ingest.salts import Salts
from services.ingest.senders import may_send
from services.ingest.site_lookup import SiteLookup
from services.ingest.token_bucket import FIRST, TokenBuckets
from services.ingest.untrusted_proxies import UntrustedProxies
from services.model.hit import OTHER_PATH, UNKNOWN_PATH, Hit, Visit
from services.model.site import ANY_HOST, Site
from services.runtime.clock import Clock

HIT_OCTETS = 120
"""What a hit takes in the log beside its texts, when few come at once."""


class PipelineContext(msgspec.Struct, frozen=True):
    """What the steps depend on."""

    clock: Clock
    sites: SiteLookup
    days: Days
    salts: Salts
    paths: CardinalityLimiter
    rates: TokenBuckets
    addresses: Addresses
    hashes: AddressHashes
    budgets: AddressBudgets
    bot_room: BotRoom
    countries: Countries
    bots: Bots
    proxies: UntrustedProxies
    over: OverBudget


Outcome = DropReason | Awaitable[None] | None
"""A step drops the hit, returns something to await, or passes the hit on."""
Step = Callable[[Draft, PipelineContext], Outcome]


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
        site=draft.site.slug,
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
        view_id=draft.event.view_id,
        own_path=draft.own_path,
    )


def only_page_views(draft: Draft, context: PipelineContext) -> Outcome:
    """Events of other names are not counted."""
    return None if draft.event.name == PAGEVIEW else DropReason.NOT_A_PAGEVIEW


def read_url(draft: Draft, context: PipelineContext) -> Outcome:
    """A page has an http or https URL with a host."""
    url = draft.event.url
    if url.startswith("/"):
        url = _completed(url, context.sites.find(draft.event.domain))
    page = read_page(url)
    if page is None:
        raise EventError({"url": ["is not the http or https URL of a page"]})
    draft.page = page
    return None


def _completed(path: str, site: Site | None) -> str:
    """Return the URL of a page that is known by its path, on the first host that its site names."""
    hosts = () if site is None or path.startswith("//") else site.hosts
    host = next((host for host in hosts if ANY_HOST not in host), "")
    return f"https://{host}{path}" if host else ""


def find_site(draft: Draft, context: PipelineContext) -> Outcome:
    """The site is named by the event, or else by the page's host."""
    site = context.sites.find(draft.event.domain or draft.page.host)
    if site is None:
        return DropReason.UNKNOWN_SITE
    if draft.token is not None and not may_send(draft.token, site.slug):
        raise EventError({"domain": ["is not a site of this token"]})
    draft.site = site
    return None


def allow_host(draft: Draft, context: PipelineContext) -> Outcome:
    """A site is counted from its own hosts only."""
    return None if draft.site.allows(draft.page.host) else DropReason.FOREIGN_HOST


def refuse_foreign_page(draft: Draft, context: PipelineContext) -> Outcome:
    """The page that sends a hit is one of the site; a server with a token has no page."""
    if draft.token is not None:
        return None
    host = sender_host(draft.headers)
    if not host or host == draft.page.host or draft.site.allows(host):
        return None
    return DropReason.FOREIGN_HOST


def refuse_prefetch(draft: Draft, context: PipelineContext) -> Outcome:
    """Nobody has seen a page that a browser only prefetched."""
    headers = draft.headers
    for name in (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"):
        value = headers.get(name)
        if value and (b"prefetch" in value or b"prerender" in value or b"preview" in value):
            return DropReason.PREFETCH
    return None


def open_day(draft: Draft, context: PipelineContext) -> Outcome:
    """The hit falls on a day of the site's own calendar; the first of a day waits for Redis."""
    draft.day = draft.site.day_of(draft.at)
    if context.days.is_open(draft.site.slug, draft.day):
        return None
    return context.days.open(draft.site.slug, draft.day)


def find_address(draft: Draft, context: PipelineContext) -> Outcome:
    """Who sent it: the peer, or whom a trusted proxy names, or a server that has a token."""
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
    """A visitor who asks not to be tracked is logged without a hash, if the site honours that."""
    if draft.site.views_only:
        # Of this process and its memory: what limits the rate of one reader has to tell them apart.
        draft.sender = hash((draft.site.slug, hashed_part(draft.address), draft.user_agent))
        return None
    salt = context.salts.known(draft.site.slug, draft.day)
    assert salt is not None, "open_day comes before"  # noqa: S101
    draft.sender = visitor_hash(salt, draft.site.slug, draft.address, draft.user_agent)
    headers = draft.headers
    silent = draft.site.honour_dnt and (
        headers.get(b"dnt") == b"1" or headers.get(b"sec-gpc") == b"1"
    )
    draft.visitor = 0 if silent else draft.sender
    return None


def limit_rate(draft: Draft, context: PipelineContext) -> Outcome:
    """No reader turns pages this fast."""
    # What a server sends may be an hour old; how fast it sends is told by the clock.
    now = draft.at if draft.token is None else context.clock()
    turn = context.rates.take(draft.sender, now)
    draft.newcomer = turn is FIRST
    return None if turn else DropReason.RATE


def begin_visit(draft: Draft, context: PipelineContext) -> Outcome:
    """Without a visitor, a view that does not come from the site itself starts a visit.

    An image alone says nothing about where its reader was before.
    """
    if draft.visitor or draft.bot or draft.site.views_only:
        return None
    referrer = draft.event.referrer
    if referrer is None and draft.image:
        return None
    inside = comes_from_site(draft.page, referrer or "", draft.site)
    draft.visit = Visit.CONTINUES if inside else Visit.STARTS
    return None


def fold_path(draft: Draft, context: PipelineContext) -> Outcome:
    """One page, one path; what a browser hides is not taken for the home page."""
    page = draft.page
    draft.path = draft.site.counted_path(page.path, page.query)
    if draft.event.origin_only and _hides_page(draft):
        draft.path = UNKNOWN_PATH
    return None


def _hides_page(draft: Draft) -> bool:
    """Tell whether the browser names the origin of a page only, as some do to other sites."""
    near = draft.headers.get(b"sec-fetch-site") in (b"same-origin", b"same-site")
    return not near and cuts_referer(draft.user_agent)


def spend_budget(draft: Draft, context: PipelineContext) -> Outcome:
    """What one address sends is bounded; of bots above it, only the count is kept.

    A visitor too many is a view that starts no visit and is nobody who is online.
    """
    budgets, bot = context.budgets, draft.bot
    free = budgets.is_free(draft.network, draft.block, draft.at)
    if free and not bot:
        return None
    slug = draft.site.slug
    octets = HIT_OCTETS + len(draft.path.encode()) + len(draft.page.host)
    visits = draft.newcomer or draft.visit is Visit.STARTS
    ruling = Ruling.WITHIN
    if not free:
        ruling = budgets.spend(draft.network, draft.block, slug, octets, bot=bot, newcomer=visits)
    if bot and not ruling and not context.bot_room.take(slug, draft.at, octets):
        ruling = Ruling.NOT_WRITTEN
    if not ruling:
        return None
    context.over.note(slug, ruling)
    if draft.newcomer:
        context.rates.forget(draft.sender)
    draft.visitor, draft.visit = 0, Visit.CONTINUES
    return _DROPS.get(ruling)


_DROPS = {Ruling.NOT_WRITTEN: DropReason.BOT, Ruling.REFUSED: DropReason.RATE}


def limit_paths(draft: Draft, context: PipelineContext) -> Outcome:
    """New paths over the limits count as `(other)`; bots are exempt: they create no counters."""
    if draft.bot or draft.path == UNKNOWN_PATH:
        return None
    address = draft.network, draft.block
    why = context.paths.admit(draft.site.slug, draft.day, draft.path, address)
    if why is not None:
        draft.own_path, draft.path = draft.path, OTHER_PATH
        metrics.OTHER_PATHS[why].inc()
    return None


def name_source(draft: Draft, context: PipelineContext) -> Outcome:
    """Where the visitor came from."""
    draft.source = source_of(draft.page, draft.event.referrer or "", draft.site)
    return None


def name_agent(draft: Draft, context: PipelineContext) -> Outcome:
    """Device, browser and system, by family; the User-Agent ends here."""
    draft.agent = read_agent(draft.user_agent)
    return None


def name_country(draft: Draft, context: PipelineContext) -> Outcome:
    """The country; the address ends here."""
    draft.country = context.countries.of(draft.address)
    return None


STEPS: tuple[Step, ...] = (
    only_page_views,
    read_url,
    find_site,
    allow_host,
    refuse_foreign_page,
    refuse_prefetch,
    open_day,
    find_address,
    tag_bot,
    hash_visitor,
    limit_rate,
    begin_visit,
    fold_path,
    spend_budget,
    limit_paths,
    name_source,
    name_agent,
    name_country,
)
