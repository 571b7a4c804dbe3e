"""The steps of pipeline.py that bound what one reader, one address and one site can send."""

from services.enrich.urls import NO_UTM
from services.ingest import metrics
from services.ingest.budgets import Ruling
from services.ingest.context import Outcome, PipelineContext
from services.ingest.draft import Draft
from services.ingest.drops import DropReason
from services.ingest.token_bucket import FIRST
from services.model.hit import OTHER_PATH, UNKNOWN_PATH, Visit

HIT_OCTETS = 120
"""Bytes a hit takes in the log besides its strings, when few arrive at once."""


def limit_rate(draft: Draft, context: PipelineContext) -> Outcome:
    """Drop hits that come faster than any reader turns pages."""
    # What a server sends may be an hour old: its rate is measured by the clock.
    now = draft.at if draft.token is None else context.clock()
    turn = context.rates.take(draft.sender, now)
    draft.newcomer = turn is FIRST and draft.apart is None
    return None if turn else DropReason.RATE


def spend_budget(draft: Draft, context: PipelineContext) -> Outcome:
    """Bound what one address sends; of bots above the limit, only the count is kept.

    A hit of one visitor too many is a view that starts no visit and has no visitor online.
    """
    budgets, bot = context.budgets, draft.bot
    free = budgets.is_free(draft.network, draft.block, draft.at)
    if free and not bot:
        return None
    slug = draft.site.slug
    octets = _octets(draft)
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


def share_log(draft: Draft, context: PipelineContext) -> Outcome:
    """Keep one site from crowding the others out of the log; bots have a room of their own."""
    if draft.bot:
        return None
    slug = draft.site.slug
    if context.site_room.take(slug, draft.at, _octets(draft)):
        return None
    context.over_room.note(slug)
    if draft.newcomer:
        context.rates.forget(draft.sender)
    return DropReason.RATE


def _octets(draft: Draft) -> int:
    """Return the bytes that a hit takes in the log, at most: texts that others have are shared."""
    page = draft.page
    texts = draft.path + page.host + draft.source
    if page.utm is not NO_UTM:
        texts += "".join(page.utm)
    return HIT_OCTETS + (len(texts) if texts.isascii() else len(texts.encode()))


def limit_paths(draft: Draft, context: PipelineContext) -> Outcome:
    """Count new paths over the limits as `(other)`; bots are exempt: they create no counters."""
    if draft.bot or draft.path == UNKNOWN_PATH:
        return None
    address = draft.network, draft.block
    why = context.paths.admit(draft.kept_as, draft.day, draft.path, address)
    if why is not None:
        draft.own_path, draft.path = draft.path, OTHER_PATH
        metrics.OTHER_PATHS[why].inc()
    return None
