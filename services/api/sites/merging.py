"""Merges sites, for two portals that become one, and splits them again.

Each is counted and kept as before. They are added up when read (`services/api/counter/merged.py`,
`services/api/stats/readers/reader.py`), so the sum includes all previous years, and splitting is
exact.
"""

import time
from collections.abc import Callable
from http import HTTPStatus

import msgspec

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.sites.registry import Registry
from services.http.errors import ApiError, unavailable
from services.model.site import Site
from services.store.interface import StoreError


class Merging:
    """Merges sites."""

    def __init__(
        self, registry: Registry, audit: Audit, clock: Callable[[], float] = time.time
    ) -> None:
        self._registry = registry
        self._audit = audit
        self._clock = clock

    async def merge(self, who: Principal, site: Site, into: str) -> Site:
        """Make a site's numbers part of another one's, until they are split again.

        Both are counted as before. Raises ApiError.
        """
        async with self._registry.require_loaded().changing() as sites:
            return await self._merge(who, sites.current(site), sites.site(into))

    async def _merge(self, who: Principal, site: Site, target: Site) -> Site:
        if target.kept_as == site.merged_into:
            return site
        now = int(self._clock() * 1000)
        why = ""
        if site.merged_into:
            why = f"{site.slug} is merged into another site; part it from that first"
        elif site in (target, self._registry.shown(target)):
            why = f"{target.slug} is {site.slug}, or merged into it"
        elif (
            site.timezone != target.timezone or max(site.timezone_from, target.timezone_from) > now
        ):
            why = f"{site.slug} and {target.slug} must have the same time zone: days are added up"
        if why:
            raise ApiError(HTTPStatus.CONFLICT, {"into": why})
        merged = msgspec.structs.replace(site, merged_into=target.kept_as)
        return await self._save_merged(who, "site.merge", merged, {"into": target.slug})

    async def part(self, who: Principal, site: Site) -> Site:
        """Split a site from the one that it was merged into, as if they had never been merged."""
        async with self._registry.require_loaded().changing() as sites:
            site = sites.current(site)
            if not site.merged_into:
                return site
            target = sites.kept(site.merged_into)
            parted = msgspec.structs.replace(site, merged_into="")
            slug = "" if target is None else target.slug
            return await self._save_merged(who, "site.part", parted, {"from": slug})

    async def _save_merged(
        self, who: Principal, action: str, site: Site, after: dict[str, str]
    ) -> Site:
        async with self._audit.recorded(who, action, site.slug, site=site.slug, after=after):
            try:
                await self._registry.save(site)
            except StoreError as error:
                raise unavailable(f"the store did not take the change: {error}") from error
        return site

    def refuse(self, site: Site, field: str) -> None:
        """Raise ApiError, 409, if a site is merged with another one, either way."""
        parts = [part.slug for part in self._registry.parts(site) if part is not site]
        if parts or site.merged_into:
            others = ", ".join(parts) or self._registry.shown(site).slug
            message = f"{site.slug} and {others} are merged; part them first"
            raise ApiError(HTTPStatus.CONFLICT, {field: message})
