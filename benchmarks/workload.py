"""The hits that are measured: made-up visitors of a portal with many articles, always the same."""

from functools import lru_cache
from urllib.parse import urlsplit

from services.enrich.agents import read_agent
from services.enrich.bots import Bots
from services.enrich.urls import referring_host
from services.enrich.visitor_hash import visitor_hash
from services.model.calendar import local_day
from services.model.hit import Hit
from services.model.site import DEFAULT_TIMEZONE
from services.traffic.sender import PageView
from services.traffic.simulate import visitors

SITE = "mytho"
HOST = "mytho.example"
SEED = 2026
START_MS = 1_790_000_000_000
SPAN_SECONDS = 3600.0
ARTICLES = [
    "/",
    *(f"/tin-tuc/{number % 12 + 1:02}/bai-viet-so-{number}.html" for number in range(1999)),
]
_SALT = bytes(16)
BOTS = Bots()


@lru_cache(maxsize=2)
def page_views(count: int) -> list[PageView]:
    """Return the first `count` page views of an hour, in the order of their times."""
    views = visitors(count // 2, SPAN_SECONDS, ARTICLES, host=HOST, seed=SEED)
    if len(views) < count:
        raise ValueError(f"the workload has {len(views)} page views, expected at least {count}")
    return views[:count]


@lru_cache(maxsize=2)
def hits(count: int) -> list[Hit]:
    """Return page views as ingest writes them."""
    return [_hit(view) for view in page_views(count)]


def _hit(view: PageView) -> Hit:
    at = START_MS + int(view.after * 1000)
    agent = read_agent(view.user_agent)
    source = referring_host(view.referrer)
    return Hit(
        site=SITE,
        path=urlsplit(view.url).path,
        at=at,
        day=local_day(at, DEFAULT_TIMEZONE),
        visitor=visitor_hash(_SALT, SITE, view.address, view.user_agent),
        bot=BOTS.is_bot(view.user_agent),
        host=HOST,
        source="" if source == HOST else source,
        device=agent.device,
        browser=agent.browser,
        os=agent.os,
        country="VN",
    )
