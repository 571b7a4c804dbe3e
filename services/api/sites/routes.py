"""`/api/admin/sites`: the sites of this server and their settings."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from services.api.access.audit import Audit
from services.api.access.route import Who, admin_router, needs, site_of
from services.api.counter.body import iso
from services.api.sites.fields import NewSite, SiteFields
from services.api.sites.registry import Registry
from services.api.sites.service import Sites
from services.http.errors import unavailable
from services.model.account import Role
from services.model.calendar import to_date
from services.model.site import Site
from services.model.time_zone import ZoneChange
from services.state.errors import StateError
from services.state.sites import SiteReaders


class SiteOut(NewSite):
    """A site."""

    created_at: int = Field(description="milliseconds since 1970, UTC")
    merged_into: str | None = Field(None, description="slug of the site that shows its numbers")
    merged: list[str] | None = Field(None, description="slugs of the sites merged into it")
    former: list[str] | None = Field(None, description="slugs that it had before, which work still")
    removed_before: bool | None = Field(
        None,
        description="a site of this slug was removed before and not erased: its numbers are still"
        " in the store, and none of this site's",
    )
    timezone_before: str | None = Field(None, description="its time zone until `timezone_from`")
    timezone_from: int | None = Field(
        None, description="since when `timezone` holds, in ms since 1970, where it was another"
    )


class ZoneChangeOut(BaseModel):
    """What becomes of the days of a site that gets another time zone."""

    timezone: str
    at_once: bool = Field(description="nothing was counted yet, or the site has that zone now")
    timezone_before: str | None = None
    timezone_from: int | None = Field(None, description="from when it holds, in ms since 1970")
    text: str = Field(description="the same for people: which numbers change, and from when")


class IngestStatus(BaseModel):
    """Whether hits of a site are counted now."""

    processes: int = Field(description="ingest processes that run")
    knowing: int = Field(description="those of them that know all sites as they are")
    counts: bool = Field(description="every ingest process counts the site's hits")
    missing: str | None = Field(description="what it takes, where they are not counted")


class SiteList(BaseModel):
    """Every site."""

    sites: list[SiteOut]


def router(
    registry: Callable[[], Registry],
    audit: Callable[[], Audit],
    sites: Callable[[], Sites],
) -> APIRouter:
    """Return the routes of sites; what they need is looked up for every request."""
    routes = admin_router()

    def loaded() -> Registry:
        return registry().require_loaded()

    known = site_of(loaded)

    def _out(site: Site) -> SiteOut:
        return described(site, registry())

    @routes.get("/sites", response_model_exclude_none=True)
    @needs(Role.VIEWER)
    async def list_sites(who: Who) -> SiteList:
        """Your sites, by slug; every one for an owner."""
        return SiteList(sites=[_out(site) for site in loaded().all() if who.has(site.slug)])

    @routes.post("/sites", status_code=HTTPStatus.CREATED, response_model_exclude_none=True)
    @needs(Role.OWNER)
    async def create_site(new: NewSite, who: Who) -> SiteOut:
        """Create a site; 409 when its slug is taken."""
        return _out(await sites().create(who, new))

    @routes.get("/sites/{slug}", response_model_exclude_none=True)
    @needs(Role.VIEWER)
    async def read_site(site: Annotated[Site, Depends(known)]) -> SiteOut:
        """One site."""
        return _out(site)

    @routes.get("/sites/{slug}/timezone")
    @needs(Role.VIEWER)
    async def preview_zone(
        site: Annotated[Site, Depends(known)],
        to: Annotated[str, Query(max_length=64, description="the time zone it would get")],
    ) -> ZoneChangeOut:
        """What a change of the time zone would show, before it is made."""
        plan = await sites().zone_change(site, to) if to != site.timezone else None
        if plan is None:
            return ZoneChangeOut(
                timezone=to, at_once=True, timezone_from=None, text=f"{site.slug} has {to} at once"
            )
        return ZoneChangeOut(
            timezone=to,
            at_once=False,
            timezone_before=plan.zone_before,
            timezone_from=plan.at_ms,
            text=_zone_text(site, plan),
        )

    @routes.get("/sites/{slug}/ingest")
    @needs(Role.VIEWER)
    async def ingest_status(
        site: Annotated[Site, Depends(known)],
        wait: Annotated[float, Query(ge=0, le=10, description="seconds until all know it")] = 0.0,
    ) -> IngestStatus:
        """Whether ingest counts the site now: a change reaches it within about two seconds."""
        try:
            readers = await loaded().ingest_status(wait)
        except StateError as error:
            raise unavailable(f"Redis cannot be asked: {error}") from error
        missing = _missing(site, readers)
        return IngestStatus(
            processes=readers.running,
            knowing=readers.current,
            counts=missing is None,
            missing=missing,
        )

    @routes.patch("/sites/{slug}", response_model_exclude_none=True)
    @needs(Role.EDITOR)
    async def edit_site(
        site: Annotated[Site, Depends(known)], changes: SiteFields, who: Who
    ) -> SiteOut:
        """Change the fields that are given, and no other."""
        return _out(await sites().edit(who, site, changes))

    @routes.delete("/sites/{slug}/shown", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.OWNER)
    async def forget_shown(site: Annotated[Site, Depends(known)], who: Who) -> None:
        """Forget the numbers that were shown, so that lower ones of the store are shown.

        Public numbers never go down by themselves: after an older state of the store was put back
        on purpose, the higher numbers of before stay until they are forgotten here.
        """
        async with audit().recorded(who, "site.forget_shown", site.slug, site=site.slug):
            try:
                await loaded().forget_shown(site)
            except StateError as error:
                raise unavailable(f"Redis did not take the change: {error}") from error

    return routes


def _zone_text(site: Site, plan: ZoneChange) -> str:
    return (
        f"{site.slug} gets the time zone {plan.zone} at {iso(plan.at_ms, plan.zone)}; until then"
        f" days turn by {plan.zone_before}. No number falls: the day {to_date(plan.day)} has"
        f" {plan.hours:g} hours, the day after it {plan.hours_after:g}, and week, month and year"
        " count them as any other days. Days that are over stay as they were counted."
    )


def _missing(site: Site, readers: SiteReaders) -> str | None:
    if not readers.running:
        return "no ingest process runs on this Redis, so no hit is taken"
    if readers.current < readers.running:
        late = readers.running - readers.current
        return f"{late} of {readers.running} ingest processes have not read the change yet"
    return None if site.hosts else "the site has no host, so hits of every host are refused"


def described(site: Site, registry: Registry) -> SiteOut:
    """Return a site as the API shows it."""
    fields = msgspec.to_builtins(site)
    del fields["merged_into"]
    if (into := registry.shown(site)).slug != site.slug:
        fields["merged_into"] = into.slug
    if merged := [part.slug for part in registry.parts(site) if part.slug != site.slug]:
        fields["merged"] = merged
    if site.earlier:
        fields["removed_before"] = True
    for name in ("kept_as", "earlier") if site.former else ("kept_as", "earlier", "former"):
        del fields[name]
    if not site.timezone_from:
        del fields["timezone_before"], fields["timezone_from"]
    return SiteOut.model_validate(fields)
