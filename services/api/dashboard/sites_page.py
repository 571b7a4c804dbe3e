"""`/admin`: the sites of who asks, with the numbers of today."""

import asyncio
from typing import NamedTuple

import msgspec
from markupsafe import Markup
from starlette.responses import Response

from services.api.dashboard.chart import sparkline
from services.api.dashboard.forms import whole_number
from services.api.dashboard.page_request import PageRequest
from services.http.errors import ApiError
from services.model.site import Site

SITES_A_PAGE = 50


class CardNumbers(msgspec.Struct):
    """What the public counter of a site says."""

    online: int
    today: int
    yesterday: int
    total: int


class Card(NamedTuple):
    """A site in the list; without numbers while they cannot be read."""

    site: Site
    numbers: CardNumbers | None
    trend: Markup | None


async def sites(page: PageRequest) -> Response:
    """Return the list."""
    mine = [site for site in page.dependencies.registry.all() if page.principal.has(site.slug)]
    text = page.parameter("q").strip()
    matching = [site for site in mine if _matches(site, text.casefold())]
    last = max(1, -(-len(matching) // SITES_A_PAGE))
    current = min(last, max(1, whole_number(page.parameter("page")) or 1))
    shown = matching[(current - 1) * SITES_A_PAGE : current * SITES_A_PAGE]
    trends, numbers = await asyncio.gather(
        _trends(page, shown), asyncio.gather(*(_numbers(page, site) for site in shown))
    )
    return page.render(
        "sites.html",
        cards=[
            Card(site, counted, trends.get(site.kept_as))
            for site, counted in zip(shown, numbers, strict=True)
        ],
        mine=len(mine),
        text=text,
        page=current,
        last=last,
        many=len(mine) > 8,
    )


def _matches(site: Site, text: str) -> bool:
    return any(text in name.casefold() for name in (site.slug, site.name, *site.hosts))


async def _numbers(page: PageRequest, site: Site) -> CardNumbers | None:
    try:
        answer, _ = await page.dependencies.counters.answer(site, site.measure(), {})
    except ApiError:
        return None
    return msgspec.json.decode(answer.body, type=CardNumbers)


async def _trends(page: PageRequest, sites: list[Site]) -> dict[str, Markup]:
    drawn = {}
    for kept_as, views in (await page.dependencies.stats.trends(sites)).items():
        if any(views):
            total, most = page.t.number(sum(views)), page.t.number(max(views))
            drawn[kept_as] = sparkline(views, page.t("sites.trend", total=total, most=most))
    return drawn
