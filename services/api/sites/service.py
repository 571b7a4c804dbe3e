"""Creates, changes and removes sites; every change is in the audit log."""

import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar, cast

import msgspec

from services.api.access.audit import Audit
from services.api.access.members import Members
from services.api.access.principal import Principal
from services.api.sites import tenancy
from services.api.sites.erasure import Erasures
from services.api.sites.fields import NewSite, SiteFields
from services.api.sites.merging import Merging
from services.api.sites.registry import Registry
from services.api.sites.schemas import merged
from services.http.errors import ApiError, bad_request, shown, unavailable
from services.model.calendar import day_start_ms, local_day, to_date
from services.model.display import Display
from services.model.site import (
    MAX_FORMER,
    Site,
)
from services.model.time_zone import ZoneChange, planned
from services.store.interface import StoreError
from services.store.records.sites import RemovedSite

T = TypeVar("T")

NEVER = RemovedSite(None, ())


class Sites:
    """Creates, changes and removes sites."""

    def __init__(
        self,
        registry: Registry,
        members: Members,
        erasures: Erasures,
        audit: Audit,
        clock: Callable[[], float] = time.time,
        *,
        editors_publish: bool = False,
    ) -> None:
        self._registry = registry
        self._members = members
        self.erasures = erasures
        self._audit = audit
        self._clock = clock
        self.merging = Merging(registry, audit, clock)
        self.editors_publish = editors_publish

    async def create(self, who: Principal, new: NewSite) -> Site:
        """Create a site. Raises ApiError, 409 when its slug is taken.

        It also is if a renamed site had it before. The numbers begin at zero, even if a site with
        this slug was removed before: those with access to that one have none to this one.
        """
        now = int(self._clock() * 1000)
        fields = {**new.model_dump(), "display": merged(Display(), new.display)}
        site = _site({**fields, "created_at": now})
        async with self._registry.require_loaded().changing() as sites:
            if sites.get(site.slug) is not None:
                raise ApiError(HTTPStatus.CONFLICT, {"slug": f"{shown(site.slug)} exists already"})
            kept_as, earlier = await _read(sites.unused_name(site.slug, now))
            site = msgspec.structs.replace(site, kept_as=kept_as, earlier=earlier)
            if kept_as != site.slug:
                await self._members.forget(site.slug)
            async with self._audit.recorded(
                who, "site.add", site.slug, site=site.slug, after=_fields(site)
            ):
                await _saved(sites.save(site))
        return site

    async def edit(self, who: Principal, site: Site, changes: SiteFields) -> Site:
        """Change only the fields that are given. Raises ApiError, see also `tenancy`."""
        async with self._registry.require_loaded().changing() as sites:
            return await self._edit(who, sites.current(site), changes)

    async def hide(self, who: Principal, site: Site, page: str, *, hidden: bool) -> Site:
        """Hide a page from public lists, or show it there again. Raises ApiError."""
        async with self._registry.require_loaded().changing() as sites:
            site = sites.current(site)
            pages = [one for one in site.hidden_pages if one != page]
            changes = SiteFields.model_validate(
                {"hidden_pages": [*pages, page] if hidden else pages}
            )
            return await self._edit(who, site, changes)

    async def _edit(self, who: Principal, site: Site, changes: SiteFields) -> Site:
        given = changes.model_dump(exclude_unset=True)
        if "display" in given:
            given["display"] = merged(site.display, changes.display)
        if given.get("timezone", site.timezone) != site.timezone:
            self.merging.refuse(site, "timezone")
            plan = await self.zone_change(site, given["timezone"])
            given["timezone_before"] = plan.zone_before if plan else ""
            given["timezone_from"] = plan.at_ms if plan else 0
        edited = _site({**msgspec.to_builtins(site), **given})
        if edited == site:
            return site
        others = (other for other in self._registry.all() if other.slug != site.slug)
        tenancy.check(who, site, edited, others, self.editors_publish)
        async with self._audit.recorded(
            who,
            "site.edit",
            site.slug,
            site=site.slug,
            before=_fields(site),
            after=_fields(edited),
        ):
            await _saved(self._registry.save(edited))
        return edited

    async def zone_change(self, site: Site, zone: str) -> ZoneChange | None:
        """Return what happens to a site's days when it gets another time zone.

        None if it applies at once: the site was never counted, or has that zone already. Raises
        ApiError.
        """
        _site({**msgspec.to_builtins(site), "timezone": zone})
        now_ms = int(self._clock() * 1000)
        before = site.zone_at(now_ms)
        if zone == before:
            return None
        try:
            is_counted = await self._registry.is_counted(site)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error
        if not is_counted:
            return None
        today = site.day_of(now_ms)
        if today != local_day(now_ms, before):
            until = datetime.fromtimestamp(day_start_ms(today, before) / 1000, UTC)
            problem = (
                f"{shown(zone)} must wait until {until:%Y-%m-%d %H:%M} UTC: then the change from"
                f" {site.timezone_before} to {before} has come to the day {to_date(today)} there"
            )
            raise ApiError(HTTPStatus.CONFLICT, {"timezone": problem})
        return planned(now_ms, before, zone)

    async def remove(self, who: Principal, site: Site) -> None:
        """Remove a site; `restore` brings it back with its counts. Raises ApiError."""
        async with self._registry.require_loaded().changing() as sites:
            site = sites.current(site)
            self.merging.refuse(site, "site")
            async with self._audit.recorded(
                who, "site.remove", site.slug, site=site.slug, before=_fields(site)
            ):
                await _saved(sites.remove(site.slug, site))

    async def rename(self, who: Principal, site: Site, to: str) -> Site:
        """Give a site another slug, or a former one; snippets and URLs with the old one still work.

        Raises ApiError, 409 if another site has it.
        """
        async with self._registry.require_loaded().changing() as sites:
            site = await self._rename(who, sites.current(site), to)
        return await self._rename_for_members(site)

    async def _rename(self, who: Principal, site: Site, to: str) -> Site:
        sites = self._registry
        if to == site.slug:
            return site
        former = tuple(slug for slug in site.slugs if slug != to)
        if len(former) > MAX_FORMER:
            message = f"{site.slug} had {MAX_FORMER} other names before; it can get no more"
            raise ApiError(HTTPStatus.CONFLICT, {"slug": message})
        other = sites.get(to)
        if other is not None and other.slug != site.slug:
            raise ApiError(HTTPStatus.CONFLICT, {"slug": f"{shown(to)} leads to {other.slug}"})
        if (await _read(sites.removed(to)) or NEVER).site is not None:
            message = f"a site {shown(to)} was removed; restore or erase that one first"
            raise ApiError(HTTPStatus.CONFLICT, {"slug": message})
        renamed = _site({**msgspec.to_builtins(site), "slug": to, "former": former})
        async with self._audit.recorded(
            who, "site.rename", to, site=to, before={"slug": site.slug}, after={"slug": to}
        ):
            await _saved(sites.rename(site.slug, renamed))
        return renamed

    async def _rename_for_members(self, site: Site) -> Site:
        """Replace former slugs of a site for users and tokens; they have access by these as well.

        Raises ApiError; then the site is renamed even so, and renaming it again repeats this.
        """
        for slug in site.former:
            await self._members.rename(slug, site.slug)
        return site

    async def restore(self, who: Principal, slug: str) -> Site:
        """Restore a site that was removed and not erased, as it was. Raises ApiError."""
        async with self._registry.require_loaded().changing():
            return await self._restore(who, slug)

    async def _restore(self, who: Principal, slug: str) -> Site:
        sites = self._registry
        if sites.get(slug) is not None:
            raise ApiError(HTTPStatus.CONFLICT, {"slug": f"{shown(slug)} exists"})
        removed = await _read(sites.removed(slug))
        if removed is None or removed.site is None:
            message = f"{shown(slug)} is no site that was removed and can be brought back"
            raise ApiError(HTTPStatus.NOT_FOUND, {"slug": message})
        # A former slug may belong to another site by now.
        former = tuple(slug for slug in removed.site.former if sites.get(slug) is None)
        site = msgspec.structs.replace(removed.site, former=former)
        async with self._audit.recorded(who, "site.restore", slug, site=slug, after=_fields(site)):
            await _saved(sites.save(site))
        return site


async def _read(reading: Coroutine[Any, Any, T]) -> T:
    try:
        return await reading
    except StoreError as error:
        raise unavailable(f"the store cannot be read: {error}") from error


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
