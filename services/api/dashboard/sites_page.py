"""`/admin`: the sites of who asks, with the numbers of today."""

import asyncio
from typing import NamedTuple

import msgspec
from markupsafe import Markup
from starlette.responses import Response

from services.api.dashboard.chart import sparkline
from services.api.dashboard.visit import Visit
from services.api.stats.queries_trends import trends
from services.api.stats.spans import Span
from services.http.errors import ApiError
from services.model.calendar import local_day
from services.model.site import Site
from services.store.interface import StoreError

SITES_A_PAGE = 50
TREND_DAYS = 30


class Numbers(msgspec.Struct):
    """What the public counter of a site says."""

    online: int
    today: int
    yesterday: int
    total: int


class Card(NamedTuple):
    """A site in the list; without numbers while they cannot be read."""

    site: Site
    numbers: Numbers | None
    trend: Markup | None


async def sites(visit: Visit) -> Response:
    """Return the list."""
    mine = [site for site in visit.parts.registry.all() if visit.who.has(site.slug)]
    text = visit.asked("q").strip()
    found = [site for site in mine if _fits(site, text.casefold())]
    last = max(1, -(-len(found) // SITES_A_PAGE))
    page = min(last, max(1, int(visit.asked("page")) if visit.asked("page").isdecimal() else 1))
    shown = found[(page - 1) * SITES_A_PAGE : page * SITES_A_PAGE]
    drawn, numbers = await asyncio.gather(
        _trends(visit, shown), asyncio.gather(*(_numbers(visit, site) for site in shown))
    )
    return visit.page(
        "sites.html",
        cards=[
            Card(site, of, drawn.get(site.slug)) for site, of in zip(shown, numbers, strict=True)
        ],
        mine=len(mine),
        text=text,
        page=page,
        last=last,
        many=len(mine) > 8,
    )


def _fits(site: Site, text: str) -> bool:
    return any(text in said.casefold() for said in (site.slug, site.name, *site.hosts))


async def _numbers(visit: Visit, site: Site) -> Numbers | None:
    try:
        answer, _ = await visit.parts.counters.answer(site, site.metric, {})
    except ApiError:
        return None
    return msgspec.json.decode(answer.body, type=Numbers)


async def _trends(visit: Visit, shown: list[Site]) -> dict[str, Markup]:
    now_ms = int(visit.parts.clock() * 1000)
    days = {site.slug: local_day(now_ms, site.timezone) for site in shown}
    if not days:
        return {}
    # Zones differ by a day at most: one reading has the days of all.
    first, last = min(days.values()) - TREND_DAYS + 1, max(days.values())
    try:
        read = await trends(visit.parts.store, days, Span(first, last))
    except StoreError:
        return {}
    drawn = {}
    for slug, today in days.items():
        views = read[slug][today - TREND_DAYS + 1 - first : today - first + 1]
        if not any(views):
            continue
        total, most = visit.t.number(sum(views)), visit.t.number(max(views))
        drawn[slug] = sparkline(views, visit.t("sites.trend", total=total, most=most))
    return drawn
