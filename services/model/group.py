"""Groups of sites: a tree, such as a province and its communes."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated

import msgspec

from services.model.default_period import DefaultPeriod
from services.model.site import Slug

GROUP_PLACE = "group/"
"""Prefix of a group's slug in places where sites may be named as well, such as rights."""
MAX_GROUPS = 1_000
MAX_DEPTH = 6
"""The most levels of the tree."""
MAX_SITES = 1_000
"""The limit per group, not including sites of the groups below it."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group of sites.

    slug    its name in URLs
    parent  the slug of the group that it is part of; '' for none
    sites   the names that its own sites are kept under, see `Site.kept_as`, so that a renamed site
            stays in it, and a removed one returns to it when restored
    default_period  the period that pages of its sites, and of those below, open with by default
    created_at  milliseconds since 1970, UTC
    public  whether anybody may see the table of those of its sites with a public dashboard
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
        """The name under which its data is kept; a later group with its slug has another."""
        return f"group:{self.slug}:{self.created_at}"

    @property
    def place(self) -> str:
        """Its slug as listed among sites: `group/tinh`."""
        return GROUP_PLACE + self.slug


class GroupTree:
    """All groups; it is rebuilt whenever one changes.

    A group whose parent is missing is at the top. Traversal always ends, whatever is stored.
    """

    def __init__(self, groups: Iterable[Group] = ()) -> None:
        self.by_slug = {group.slug: group for group in sorted(groups, key=lambda one: one.slug)}
        self._children: dict[str, list[Group]] = {}
        for group in self.by_slug.values():
            self._children.setdefault(group.parent, []).append(group)

    @cached_property
    def _of_site(self) -> dict[str, list[Group]]:
        by_site: dict[str, list[Group]] = {}
        for group in self.by_slug.values():
            for name in group.sites:
                by_site.setdefault(name, []).append(group)
        return by_site

    def default_period(self, name: str) -> DefaultPeriod:
        """Return the default period that a site gets from its groups, by the name it is kept under.

        It is that of its group, or of the nearest one above that has one. For a site in several
        groups, the first by slug that leads to a period counts.
        """
        periods = map(self.period_of, self._of_site.get(name, ()))
        return next((period for period in periods if period), DefaultPeriod.OF_GROUP)

    def period_of(self, group: Group) -> DefaultPeriod:
        """Return the period of a group, or of the nearest one above that has one."""
        periods = (one.default_period for one in reversed(self.path(group)))
        return next((period for period in periods if period), DefaultPeriod.OF_GROUP)

    def children(self, slug: str) -> tuple[Group, ...]:
        """Return the groups directly below a group, sorted by slug."""
        return tuple(self._children.get(slug, ()))

    def path(self, group: Group) -> tuple[Group, ...]:
        """Return the groups from the top of the tree down to a group, including it."""
        path, seen = [group], {group.slug}
        while (above := self.by_slug.get(path[0].parent)) and above.slug not in seen:
            seen.add(above.slug)
            path.insert(0, above)
        return tuple(path)

    def below(self, group: Group) -> Iterator[Group]:
        """Yield a group and all groups below it, each once."""
        seen, waiting = {group.slug}, [group]
        while waiting:
            one = waiting.pop()
            yield one
            fresh = [child for child in self.children(one.slug) if child.slug not in seen]
            seen.update(child.slug for child in fresh)
            waiting.extend(reversed(fresh))

    def sites_of(self, group: Group) -> tuple[str, ...]:
        """Return the names that the sites of a group and all groups below are kept under, sorted.

        A site in several of them is listed once.
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
