"""Which sites and groups somebody's rights cover, resolved in memory against the current state."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.api.sites.index import SiteIndex
from services.api.sites.registry import Registry
from services.http.errors import bad_request, shown, unavailable
from services.model.account import ALL_SITES, Role
from services.model.group import GROUP_PLACE, GroupTree


class Reach(NamedTuple):
    """What a right covers.

    slugs   of sites, with all others that they have or had; '*' stands for every site
    groups  slugs of groups, those below them included
    """

    slugs: frozenset[str]
    groups: frozenset[str]


class Rights:
    """Tells what rights for sites, groups (`group/tinh`) and '*' reach.

    A right for a group reaches the sites that it and the groups below have when it is asked; one
    for a group that is not there reaches nothing.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._index: SiteIndex | None = None
        self._of_groups: dict[str, Reach] = {}
        self._tree: GroupTree | None = None

    @property
    def tree(self) -> GroupTree:
        """Every group. Raises ApiError, 503, until they are loaded."""
        if self._tree is None:
            raise unavailable("the groups are not loaded yet")
        return self._tree

    def take(self, tree: GroupTree) -> None:
        """Use these groups from now on."""
        self._tree = tree
        self._of_groups.clear()

    def reach(self, places: Iterable[str]) -> Reach:
        """Return what rights to places cover.

        Raises ApiError, 503, if that needs the sites of groups and no site is known yet.
        """
        given = frozenset(places)
        groups = [place for place in given if place.startswith(GROUP_PLACE)]
        slugs = self._registry.slugs(given.difference(groups))
        reached = [self._of_group(place.removeprefix(GROUP_PLACE)) for place in groups]
        return Reach(
            slugs.union(*(one.slugs for one in reached)),
            frozenset[str]().union(*(one.groups for one in reached)),
        )

    def checked(self, role: Role, places: Sequence[str]) -> tuple[str, ...]:
        """Return the places to keep of a right, sites by the slugs that they have now.

        Raises ApiError when one is unknown, or none is given.
        """
        if role is Role.BACKUP:
            return ()
        if role is Role.OWNER or ALL_SITES in places:
            return (ALL_SITES,)
        if not places:
            raise bad_request("sites", f"none; expected at least one for the role {role}, or '*'")
        self._registry.require_loaded()
        for place in places:
            if self._kept(place) is None and place.startswith(GROUP_PLACE):
                raise bad_request("sites", f"{shown(place)} is not a group of this server")
            if self._kept(place) is None:
                raise bad_request("sites", f"{shown(place)} is not a site of this server")
        return self.existing(places)

    def existing(self, places: Iterable[str]) -> tuple[str, ...]:
        """Return the existing places, sorted, with sites by their current slugs."""
        known = map(self._kept, places)
        return tuple(sorted({place for place in known if place is not None}))

    def _kept(self, place: str) -> str | None:
        if place.startswith(GROUP_PLACE):
            return place if place.removeprefix(GROUP_PLACE) in self.tree.by_slug else None
        site = self._registry.get(place)
        return None if site is None else site.slug

    def _of_group(self, slug: str) -> Reach:
        # Cached between requests: a group may have a thousand sites.
        if self._index is not self._registry.index:
            self._index = self._registry.index
            self._of_groups.clear()
        reach = self._of_groups.get(slug)
        if reach is None:
            reach = self._of_groups[slug] = self._walk(slug)
        return reach

    def _walk(self, slug: str) -> Reach:
        self._registry.require_known()
        group = self.tree.by_slug.get(slug)
        if group is None:
            return Reach(frozenset(), frozenset())
        sites = (self._registry.kept(name) for name in self.tree.sites_of(group))
        return Reach(
            frozenset(one for site in sites if site is not None for one in site.slugs),
            frozenset(one.slug for one in self.tree.below(group)),
        )
