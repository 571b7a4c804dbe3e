"""`/api/admin/sites/{slug}/shares`: links that show a site's traffic without signing in."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from services.api.access.fields import TEXT_PATTERN
from services.api.access.route import Who, admin_router, needs, site_of
from services.api.sites.desk.shares import MAX_NAME, ShareLinks
from services.api.sites.registry import Registry
from services.model.account import Role
from services.model.site import Site
from services.store.share_links import ShareLink

SHARE = "/share"
"""What addresses begin with that a link opens."""


class ShareFields(BaseModel):
    """A link that is to be made."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(
        min_length=1, max_length=MAX_NAME, pattern=TEXT_PATTERN, description="whom it is for"
    )


class ShareOut(BaseModel):
    """A link, without its address: that is not stored."""

    id: str
    name: str
    created_at: int = Field(description="milliseconds since 1970, UTC")
    created_by: str


class NewShareOut(ShareOut):
    """A link that was just made."""

    path: str = Field(description="of its address, on this server; it is not shown again")


class ShareList(BaseModel):
    """The links of a site."""

    shares: list[ShareOut]


def router(registry: Callable[[], Registry], links: Callable[[], ShareLinks]) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router("/sites/{slug}/shares")
    known = Depends(site_of(registry))

    @routes.get("")
    @needs(Role.EDITOR)
    async def list_shares(site: Annotated[Site, known]) -> ShareList:
        """The links that show the traffic of a site to whoever has them."""
        return ShareList(shares=[_out(one) for one in await links().of_site(site)])

    @routes.post("", status_code=HTTPStatus.CREATED)
    @needs(Role.EDITOR)
    async def make_share(site: Annotated[Site, known], new: ShareFields, who: Who) -> NewShareOut:
        """Make a link; it takes an owner, unless LUOT_EDITORS_PUBLISH is on."""
        made = await links().make(who, site, new.name)
        return NewShareOut(**_out(made.link).model_dump(), path=f"{SHARE}/{made.secret}")

    @routes.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.EDITOR)
    async def withdraw_share(
        site: Annotated[Site, known],
        id_: Annotated[str, Path(alias="id", description="the id of a link")],
        who: Who,
    ) -> None:
        """Withdraw a link: within a second it shows nothing any more."""
        await links().withdraw(who, site, id_)

    return routes


def _out(link: ShareLink) -> ShareOut:
    return ShareOut(id=link.id, name=link.name, created_at=link.at, created_by=link.author)
