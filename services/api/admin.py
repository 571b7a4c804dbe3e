"""Administration: the sites of this server."""

import time
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, cast

import msgspec
from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError

from services.api.access.audit import Audit
from services.api.access.route import Who, admin_router, needs
from services.api.display import DisplayFields, merged
from services.api.errors import ApiError, bad_request, shown, unavailable, unknown_site
from services.api.registry import Registry
from services.model.account import Role
from services.model.display import Display
from services.model.site import DEFAULT_TIMEZONE, SLUG_PATTERN, Metric, Site
from services.store.interface import StoreError

Slug = Annotated[str, Field(pattern=SLUG_PATTERN, max_length=64)]


class SiteFields(BaseModel):
    """What an admin may set on a site."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        "", max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", description="shown to people"
    )
    timezone: str = Field(DEFAULT_TIMEZONE, max_length=64, description="IANA name; days turn there")
    hosts: list[str] = Field(
        [], max_length=100, description="mytho.example, *.mytho.example for all below it, * for any"
    )
    metric: Metric = Field(Metric.VISITS, description="what the counter shows")
    significant: list[str] = Field(
        [], max_length=20, description="query parameters that name a page: tabid, nv"
    )
    honour_dnt: bool = Field(True, description="no visitor hash for browsers that ask for none")
    public_top: bool = Field(False, description="anybody may read the most read pages")
    public_dashboard: bool = Field(
        False, description="anybody may read the traffic behind the numbers"
    )
    display: DisplayFields | None = Field(
        None, description="how its block looks; in a change, null takes back what was set"
    )


class NewSite(SiteFields):
    """A site that is to be created."""

    slug: Slug


class SiteOut(NewSite):
    """A site."""

    created_at: int = Field(description="milliseconds since 1970, UTC")


class SiteList(BaseModel):
    """Every site."""

    sites: list[SiteOut]


def router(
    registry: Callable[[], Registry],
    audit: Callable[[], Audit],
    clock: Callable[[], float] = time.time,
) -> APIRouter:
    """Return the routes of sites; registry and audit log are asked for with every request."""
    routes = admin_router()

    def known(slug: Annotated[str, Path(description="the site's name in addresses")]) -> Site:
        site = loaded().get(slug)
        if site is None:
            raise unknown_site(slug)
        return site

    def loaded() -> Registry:
        sites = registry()
        if not sites.loaded:
            raise unavailable("the sites are not loaded yet")
        return sites

    @routes.get("/sites", response_model_exclude_none=True)
    @needs(Role.VIEWER)
    async def list_sites(who: Who) -> SiteList:
        """Your sites, by slug; every one for an owner."""
        return SiteList(sites=[_out(site) for site in loaded().all() if who.has(site.slug)])

    @routes.post("/sites", status_code=HTTPStatus.CREATED, response_model_exclude_none=True)
    @needs(Role.OWNER)
    async def create_site(new: NewSite, who: Who) -> SiteOut:
        """Create a site; 409 when its slug is taken."""
        fields = {**new.model_dump(), "display": merged(Display(), new.display)}
        site = _site({**fields, "created_at": int(clock() * 1000)})
        sites = loaded()
        if sites.get(site.slug) is not None:
            raise ApiError(HTTPStatus.CONFLICT, {"slug": f"{shown(site.slug)} exists already"})
        async with audit().recorded(
            who, "site.add", site.slug, site=site.slug, after=_fields(site)
        ):
            await _saved(sites.save(site))
        return _out(site)

    @routes.get("/sites/{slug}", response_model_exclude_none=True)
    @needs(Role.VIEWER)
    async def read_site(site: Annotated[Site, Depends(known)]) -> SiteOut:
        """One site."""
        return _out(site)

    @routes.patch("/sites/{slug}", response_model_exclude_none=True)
    @needs(Role.EDITOR)
    async def edit_site(
        site: Annotated[Site, Depends(known)], changes: SiteFields, who: Who
    ) -> SiteOut:
        """Change the fields that are given, and no other."""
        given = changes.model_dump(exclude_unset=True)
        if "display" in given:
            given["display"] = merged(site.display, changes.display)
        edited = _site({**msgspec.to_builtins(site), **given})
        if edited == site:
            return _out(site)
        async with audit().recorded(
            who,
            "site.edit",
            site.slug,
            site=site.slug,
            before=_fields(site),
            after=_fields(edited),
        ):
            await _saved(loaded().save(edited))
        return _out(edited)

    @routes.delete("/sites/{slug}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.OWNER)
    async def remove_site(site: Annotated[Site, Depends(known)], who: Who) -> None:
        """Remove a site: it is no longer counted or shown. Its counts stay in the store."""
        async with audit().recorded(
            who, "site.remove", site.slug, site=site.slug, before=_fields(site)
        ):
            await _saved(loaded().remove(site.slug))

    @routes.delete("/sites/{slug}/shown", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.OWNER)
    async def forget_shown(site: Annotated[Site, Depends(known)], who: Who) -> None:
        """Forget the numbers that were shown, so that lower ones of the store are shown.

        Public numbers never go down by themselves: after an older state of the store was put back
        on purpose, the higher numbers of before stay until they are forgotten here.
        """
        async with audit().recorded(who, "site.forget_shown", site.slug, site=site.slug):
            try:
                await loaded().forget_shown(site.slug)
            except (RedisError, OSError) as error:
                raise unavailable(f"Redis did not take the change: {error}") from error

    return routes


async def _saved(change: Coroutine[Any, Any, None]) -> None:
    try:
        await change
    except StoreError as error:
        raise unavailable(f"the store did not take the change: {error}") from error


def _site(fields: dict[str, Any]) -> Site:
    try:
        return msgspec.convert(fields, Site)
    except msgspec.ValidationError as error:
        text = str(error)
        raise bad_request(_field(text), text.partition(" - at `$")[0]) from None


def _field(text: str) -> str:
    name, colon, _ = text.partition(":")
    if colon and name in Site.__struct_fields__:
        return name
    if colon and name in Display.__struct_fields__:
        return f"display.{name}"
    if "time zone" in text:
        return "timezone"
    _, dollar, path = text.partition("$.")
    return path.split("[", 1)[0].rstrip("`") if dollar else "body"


def _fields(site: Site) -> dict[str, Any]:
    """Return a site as the audit log keeps it."""
    return cast("dict[str, Any]", msgspec.to_builtins(site))


def _out(site: Site) -> SiteOut:
    return SiteOut.model_validate(msgspec.to_builtins(site))
