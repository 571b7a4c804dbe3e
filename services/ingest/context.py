"""The dependencies of the steps of pipeline.py, and the type of a step."""

from collections.abc import Awaitable, Callable

import msgspec

from services.enrich.bots import Bots
from services.enrich.country import Countries
from services.http.client_address import Addresses
from services.ingest.bot_room import BotRoom
from services.ingest.budgets import AddressBudgets
from services.ingest.cardinality import CardinalityLimiter
from services.ingest.days import Days
from services.ingest.draft import Draft
from services.ingest.drops import DropReason
from services.ingest.foreign_hosts import ForeignHosts
from services.ingest.networks import AddressHashes
from services.ingest.over_budget import OverBudget
from services.ingest.over_room import OverRoom
from services.ingest.salts import Salts
from services.ingest.site_lookup import SiteLookup
from services.ingest.site_room import SiteRoom
from services.ingest.token_bucket import TokenBuckets
from services.ingest.untrusted_proxies import UntrustedProxies
from services.runtime.clock import Clock


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
    site_room: SiteRoom
    countries: Countries
    bots: Bots
    proxies: UntrustedProxies
    over: OverBudget
    over_room: OverRoom
    foreign: ForeignHosts


Outcome = DropReason | Awaitable[None] | None
"""A step drops the hit, returns something to await, or passes the hit on."""
Step = Callable[[Draft, PipelineContext], Outcome]
