"""A hit on its way through the steps of pipeline.py."""

from collections.abc import Mapping

import msgspec

from services.enrich.agents import Agent
from services.enrich.urls import PageUrl
from services.ingest.event import Event
from services.model.account import SendToken
from services.model.hit import Visit
from services.model.kept_apart import Apart
from services.model.site import Site


class Draft(msgspec.Struct, kw_only=True, gc=False):
    """A hit on its way through the steps: what was received, and what they have added so far.

    peer       address at the other end of the connection, '' for a local socket
    forwarded  every X-Forwarded-For of the request, joined with commas
    at         when it was received, in milliseconds since 1970
    image      whether it was sent by loading the image
    token      of the server that vouches for `forwarded` and `at`; None for a browser
    apart      what it is instead of a view; None for a view
    file       what was downloaded; None for anything else
    words      search terms, for a view of search results or a search by itself
    target     where a link to another site leads
    kept_as    the name under which it is kept: that of the site, or of its kind kept apart
    network    hash of the address for budgets; for IPv6, of its /64
    block      the same number for IPv4; for IPv6, the hash of its /48
    sender     for the rate limit: the visitor's hash, logged only for those who allow it; on a site
               that counts views only, a hash known only to this process
    own_path   the page's path, for a hit that counts as `(other)`
    newcomer   whether that sender was not seen lately
    """

    event: Event
    headers: Mapping[bytes, bytes]
    peer: str
    forwarded: str
    at: int
    image: bool = False
    token: SendToken | None = None
    page: PageUrl = PageUrl("", "", "", "")
    site: Site = Site(slug="unknown")
    apart: Apart | None = None
    file: PageUrl | None = None
    words: str = ""
    target: str = ""
    kept_as: str = ""
    day: int = 0
    user_agent: str = ""
    address: str = ""
    network: int = 0
    block: int = 0
    bot: bool = False
    sender: int = 0
    newcomer: bool = False
    visitor: int = 0
    visit: Visit = Visit.UNDECIDED
    path: str = ""
    own_path: str = ""
    source: str = ""
    agent: Agent = Agent("", "", "")
    country: str = ""
    region: str = ""
