"""What a report is about: a site, or a group of sites."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple

from services.api.access.principal import Principal
from services.api.sites.groups.service import Groups
from services.api.sites.registry import Registry
from services.http.errors import ApiError, Translatable, shown
from services.model.group import Group
from services.model.site import Site


class ReportUnit(NamedTuple):
    """A site or a group.

    slug     its name in URLs
    kept_as  the name that its schedules and links are kept under
    sites    the site, or those of the group and of all groups below it
    """

    slug: str
    name: str
    kept_as: str
    sites: Sequence[Site]
    group: Group | None = None

    @classmethod
    def of_site(cls, site: Site) -> "ReportUnit":
        """Return the unit of a site."""
        return cls(site.slug, site.name or site.slug, site.kept_as, (site,))

    @classmethod
    def of_group(cls, group: Group, sites: Sequence[Site]) -> "ReportUnit":
        """Return the unit of a group with all of its sites."""
        return cls(group.slug, group.name or group.slug, group.kept_as, sites, group)

    @property
    def audited_as(self) -> str:
        """The site that the audit log names: none for a group, whose changes owners read."""
        return self.slug if self.group is None else ""

    def is_of(self, who: Principal) -> bool:
        """Tell whether somebody may read all of it; a group without sites is for owners only."""
        return who.is_owner or (bool(self.sites) and all(who.has(one.slug) for one in self.sites))

    def require_sites(self) -> Sequence[Site]:
        """Return the sites. Raises ApiError, 409, for a group that has none."""
        if not self.sites:
            message = Translatable(f"{self.slug} has no sites yet", "report.group.empty")
            raise ApiError(HTTPStatus.CONFLICT, {"group": message})
        return self.sites


class ReportUnits:
    """Finds the units of reports."""

    def __init__(self, registry: Registry, groups: Groups) -> None:
        self._registry = registry
        self._groups = groups

    async def group(self, slug: str, who: Principal) -> ReportUnit:
        """Return a group. Raises ApiError: 404, or 403 for those with access to only some sites."""
        group = await self._groups.group(slug)
        unit = ReportUnit.of_group(group, await self._groups.sites_of(group))
        if not unit.is_of(who):
            if any(who.has(site.slug) for site in unit.sites):
                text = f"a report is of all sites of {unit.slug}; {who.name} has only some of them"
                message = Translatable(text, "report.group.part")
                raise ApiError(HTTPStatus.FORBIDDEN, {"group": message})
            raise ApiError(HTTPStatus.NOT_FOUND, {"group": f"{shown(slug)} is no group"})
        return unit

    async def kept(self, name: str) -> ReportUnit | None:
        """Return the unit of a schedule or link; None when it is gone. Raises ApiError, 503."""
        site = self._registry.kept(name)
        if site is not None:
            return ReportUnit.of_site(site)
        tree = await self._groups.tree()
        group = next((one for one in tree.by_slug.values() if one.kept_as == name), None)
        if group is None:
            return None
        return ReportUnit.of_group(group, self._groups.sites(tree.sites_of(group)))
