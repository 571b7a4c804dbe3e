"""`GET /api/v1/sites`: the sites that somebody can read, as Plausible's Sites API lists them."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.api.access.route import AdminRoute, Who, needs, stats_router
from services.api.sites.registry import Registry
from services.api.stats.grammar.query import whole
from services.model.account import Role

PATH = "/api/v1/sites"
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class _ListRoute(AdminRoute):
    ignored = frozenset({"_", "team_id"})
    """Where there are teams, clients ask for a team's sites by its id."""


class ReadableSite(BaseModel):
    """A site.

    domain    its slug, which is what `site_id` takes
    name      as its settings have it
    timezone  in which its days begin
    """

    domain: str
    name: str
    timezone: str


class Meta(BaseModel):
    """Which part of the list this is: `after` and `before` lead to the next and the last part."""

    after: str | None
    before: str | None
    limit: int


class ReadableSites(BaseModel):
    """Sites, by slug."""

    sites: list[ReadableSite]
    meta: Meta


def router(registry: Callable[[], Registry]) -> APIRouter:
    """Return the route; `registry` is called for every request."""
    routes = stats_router(route_class=_ListRoute)

    @routes.get(PATH)
    @needs(Role.VIEWER)
    async def list_sites(
        who: Who,
        after: Annotated[str | None, Query(description="the sites behind this slug")] = None,
        before: Annotated[str | None, Query(description="the sites in front of this slug")] = None,
        limit: Annotated[
            str | None,
            Query(description=f"sites at once, 1 to {MAX_LIMIT}; {DEFAULT_LIMIT} if none"),
        ] = None,
    ) -> ReadableSites:
        """The sites that one's user or token can read, by slug."""
        most = whole("limit", limit, DEFAULT_LIMIT, MAX_LIMIT)
        theirs = [site for site in registry().all() if who.has(site.slug)]
        fitting = [
            site
            for site in theirs
            if (after is None or site.slug > after) and (before is None or site.slug < before)
        ]
        # Without `after`, what comes directly before `before`.
        shown = fitting[-most:] if before is not None and after is None else fitting[:most]
        return ReadableSites(
            sites=[
                ReadableSite(domain=site.slug, name=site.name, timezone=site.timezone)
                for site in shown
            ],
            meta=Meta(
                after=shown[-1].slug if shown and shown[-1] != theirs[-1] else None,
                before=shown[0].slug if shown and shown[0] != theirs[0] else None,
                limit=most,
            ),
        )

    return routes
