"""Groups of sites: a tree, as of a province and its communes."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated

import msgspec

from services.model.default_period import DefaultPeriod
from services.model.site import Slug

GROUP_PLACE = "group/"
"""Prefix of a group's slug where sites may be named as well, as in rights."""
MAX_GROUPS = 1_000
MAX_DEPTH = 6
"""Groups from the top of the tree down to the lowest, both included."""
MAX_SITES = 1_000
"""The limit per group, not including sites of the groups below it."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group of sites.

    slug    its name in addresses
    parent  the slug of the group that it is part of; '' for none
    sites   the names that its own sites are kept under, see `Site.kept_as`, so that a site that is
            renamed stays, and one that is removed is back when it is restored
    default_period  what the pages of its sites open with, and of those below, that have none
    created_at  milliseconds since 1970, UTC
    public  whether anybody may see the table of those of its sites that have a public dashboard
    """

    slug: Slug
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    parent: str = ""
    sites: tuple[str, ...] = ()
    default_period: DefaultPeriod = DefaultPeriod.OF_GROUP
    created_at: Annotated[int, msgspec.Meta(ge=0)] = 0
    public: bool = False

    @property
    def kept_as(self) -> str:
        """What belongs to the group is kept under; another group of its slug has another name."""
        return f"group:{self.slug}:{self.created_at}"

    @property
    def place(self) -> str:
        """Its slug as it stands among sites: `group/tinh`."""
        return GROUP_PLACE + self.slug


class GroupTree:
    """Every group; rebuilt with every change of one.

    A group whose parent is missing is at the top. No walk loops forever, whatever is stored.
    """

    def __init__(self, groups: Iterable[Group] = ()) -> None:
        self.by_slug = {group.slug: group for group in sorted(groups, key=lambda one: one.slug)}
        self._children: dict[str, list[Group]] = {}
        for group in self.by_slug.values():
            self._children.setdefault(group.parent, []).append(group)

    @cached_property
    def _of_site(self) -> dict[str, list[Group]]:
        found: dict[str, list[Group]] = {}
        for group in self.by_slug.values():
            for name in group.sites:
                found.setdefault(name, []).append(group)
        return found

    def default_period(self, name: str) -> DefaultPeriod:
        """Return the period of the groups of a site, by the name that it is kept under.

        That of its group, else of the next one above that has one. Of a site in several groups,
        the first by slug counts that finds one.
        """
        periods = map(self.period_of, self._of_site.get(name, ()))
        return next((period for period in periods if period), DefaultPeriod.OF_GROUP)

    def period_of(self, group: Group) -> DefaultPeriod:
        """Return the period of a group, else that of the next one above that has one."""
        periods = (one.default_period for one in reversed(self.path(group)))
        return next((period for period in periods if period), DefaultPeriod.OF_GROUP)

    def children(self, slug: str) -> tuple[Group, ...]:
        """Return the groups right below a group, by slug."""
        return tuple(self._children.get(slug, ()))

    def path(self, group: Group) -> tuple[Group, ...]:
        """Return the groups from the top of the tree down to a group, which is the last."""
        path, seen = [group], {group.slug}
        while (above := self.by_slug.get(path[0].parent)) and above.slug not in seen:
            seen.add(above.slug)
            path.insert(0, above)
        return tuple(path)

    def below(self, group: Group) -> Iterator[Group]:
        """Yield a group and all below it, each once."""
        seen, waiting = {group.slug}, [group]
        while waiting:
            one = waiting.pop()
            yield one
            fresh = [child for child in self.children(one.slug) if child.slug not in seen]
            seen.update(child.slug for child in fresh)
            waiting.extend(reversed(fresh))

    def sites_of(self, group: Group) -> tuple[str, ...]:
        """Return the names that the sites of a group and of all below it are kept under, sorted.

        A site that is in several of them is there once.
        """
        return tuple(sorted({name for one in self.below(group) for name in one.sites}))

    def check(self, group: Group) -> None:
        """Raise ValueError if a group, new or changed, would not fit into the tree."""
        tree = GroupTree({**self.by_slug, group.slug: group}.values())
        if group.parent and group.parent not in self.by_slug:
            raise ValueError(f"{group.parent!r} is not a group; expected the slug of one, or ''")
        if any(one.slug == group.parent for one in tree.below(group)):
            raise ValueError(
                f"{group.parent!r} is {group.slug!r} or below it; expected a group that is not"
            )
        depth = max(len(tree.path(one)) for one in tree.below(group))
        if depth > MAX_DEPTH:
            raise ValueError(
                f"below {group.parent!r} the tree would have {depth} levels; expected at most"
                f" {MAX_DEPTH}"
            )
