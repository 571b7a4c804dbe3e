"""`/api/admin/sites/{slug}/…`: removing, merging, renaming, restoring and erasing a site."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from services.api.access.route import Who, admin_router, needs, site_of
from services.api.sites.fields import Slug
from services.api.sites.new_slug import NewSlug
from services.api.sites.registry import Registry
from services.api.sites.routes import SiteOut, described
from services.api.sites.service import Sites
from services.model.account import Role
from services.model.site import Site


class Confirmed(BaseModel):
    """That a site is meant."""

    model_config = ConfigDict(extra="forbid")

    confirm: str = Field(max_length=64, description="the slug of the site, again")


class NewName(BaseModel):
    """The slug that a site gets."""

    model_config = ConfigDict(extra="forbid")

    slug: NewSlug


class Into(BaseModel):
    """The site that another one is merged into."""

    model_config = ConfigDict(extra="forbid")

    into: Slug


class ErasedOut(BaseModel):
    """What is kept of a site, before it is erased, or what is left of it."""

    done: bool = Field(description="all of it is gone")
    views: int = Field(description="of all time, as they were counted")
    visits: int
    days: int = Field(description="days with counts")
    downloads: int
    hits: int = Field(description="raw hits")
    balances: int = Field(description="opening balances")
    corrections: int
    imports: int = Field(description="imported access logs")


OfSite = Annotated[str, Path(description="the site's name in addresses; also of one removed")]


def router(registry: Callable[[], Registry], sites: Callable[[], Sites]) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router()
    known = site_of(lambda: registry().require_loaded())

    def _out(site: Site) -> SiteOut:
        return described(site, registry())

    @routes.delete("/sites/{slug}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.OWNER)
    async def remove_site(site: Annotated[Site, Depends(known)], who: Who) -> None:
        """Remove a site: it is no longer counted or shown. Its counts stay in the store.

        It can be brought back with them. A new site of the same slug begins at zero.
        """
        await sites().remove(who, site)

    @routes.post("/sites/{slug}/merge", response_model_exclude_none=True)
    @needs(Role.OWNER)
    async def merge_site(site: Annotated[Site, Depends(known)], wanted: Into, who: Who) -> SiteOut:
        """Let the numbers of a site be part of another one's.

        Nothing that is counted changes: what the public sees of both is the sum, also of all the
        years before, and the old snippet still counts. DELETE parts them again.
        """
        return _out(await sites().merging.merge(who, site, wanted.into))

    @routes.delete("/sites/{slug}/merge", response_model_exclude_none=True)
    @needs(Role.OWNER)
    async def part_site(site: Annotated[Site, Depends(known)], who: Who) -> SiteOut:
        """Take a site out of the one that it was merged into: both show their own numbers again."""
        return _out(await sites().merging.part(who, site))

    @routes.post("/sites/{slug}/rename", response_model_exclude_none=True)
    @needs(Role.OWNER)
    async def rename_site(
        site: Annotated[Site, Depends(known)], wanted: NewName, who: Who
    ) -> SiteOut:
        """Give a site another slug; its numbers stay, and snippets with the old one still count."""
        return _out(await sites().rename(who, site, wanted.slug))

    @routes.post("/sites/{slug}/restore", response_model_exclude_none=True)
    @needs(Role.OWNER)
    async def restore_site(slug: OfSite, who: Who) -> SiteOut:
        """Bring a site back that was removed and not erased, with its settings and its counts."""
        return _out(await sites().restore(who, slug))

    @routes.get("/sites/{slug}/erase")
    @needs(Role.OWNER)
    async def preview_erasure(slug: OfSite) -> ErasedOut:
        """What goes when a site is erased, or what is left of one that was removed."""
        counts = await sites().erasures.preview(slug)
        return ErasedOut(**counts._asdict(), done=False)

    @routes.post("/sites/{slug}/erase")
    @needs(Role.OWNER)
    async def erase_site(slug: OfSite, confirmed: Confirmed, who: Who) -> ErasedOut:
        """Erase a site for good: its counters, raw hits, ledger, imports, and its members' part.

        Until all of it is gone `done` is false: it goes on by itself; ask again to know.
        """
        done = await sites().erasures.erase(who, slug, confirmed.confirm)
        counts = await sites().erasures.preview(slug)
        return ErasedOut(**counts._asdict(), done=done)

    return routes
