"""Builds the table of sites: for whom, of which group, and with the current state of each."""

from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request

from services.api.access.principal import Principal
from services.api.counter.online import OnlineReader
from services.api.sites.groups.service import Groups, no_group
from services.api.sites.registry import Registry
from services.api.stats.grammar.site_query import SiteQuery
from services.api.stats.many import table
from services.api.stats.many.many_sites import ManySites
from services.api.stats.many.table import SitesTable, TableQuery
from services.api.stats.panels.site_panels import PanelSource
from services.model.group import Group
from services.model.site import Site


class SiteTables:
    """Makes tables of the sites that somebody may read."""

    def __init__(
        self,
        registry: Registry,
        groups: Groups,
        panels: PanelSource,
        online: OnlineReader,
        silent: Callable[[], Mapping[str, int]],
    ) -> None:
        """`silent` returns the time of the last view of sites that fell silent, by `kept_as`."""
        self._registry = registry
        self.groups = groups
        self._panels = panels
        self._online = online
        self._silent = silent

    async def sites(self, who: Principal | None, group: Group | None = None) -> list[Site]:
        """Return the sites that somebody may read, of a group or all; a stranger, public ones.

        Raises ApiError, 503.
        """
        known = await self.groups.sites_of(group) if group else self._registry.all()
        return [
            site for site in known if (site.public_dashboard if who is None else who.has(site.slug))
        ]

    async def visible(self, who: Principal) -> list[Group]:
        """Return the groups in which somebody may read a site, and all for owners, by slug."""
        tree = await self.groups.tree()
        return [
            group for group in tree.by_slug.values() if who.is_owner or await self.sites(who, group)
        ]

    async def group(self, slug: str, who: Principal | None) -> Group:
        """Return a group that somebody may see; a stranger a public one. Raises ApiError, 404."""
        group = await self.groups.group(slug)
        if who is None:
            is_seen = group.public
        else:
            is_seen = who.is_owner or bool(await self.sites(who, group))
        if not is_seen:
            raise no_group(slug)
        return group

    async def read(
        self, sites: Sequence[Site], query: SiteQuery, who: Principal | None, request: Request
    ) -> ManySites:
        """Return the numbers of sites. Raises ApiError, which names the parameter."""
        return await self._panels.many(sites, query, who, request)

    async def table(
        self, sites: Sequence[Site], many: ManySites, asked: TableQuery, who: Principal | None
    ) -> SitesTable:
        """Return the table of sites; for strangers, without who is online and what is silent.

        Raises ApiError, which names the parameter.
        """
        online = {} if who is None else await self._now(sites)
        return table.made(sites, many, asked, online, {} if who is None else self._silent())

    async def _now(self, sites: Sequence[Site]) -> dict[str, int]:
        """Return who is online, for the sites for which it is known."""
        parts = {
            site.kept_as: [part.kept_as for part in self._registry.parts(site)] for site in sites
        }
        known = await self._online.now(sorted({name for names in parts.values() for name in names}))
        return {
            site: sum(known[name].visitors for name in names)
            for site, names in parts.items()
            if all(known[name].is_current for name in names)
        }
