"""`/api/admin/groups`: groups of sites; owners change them, others read theirs."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from services.api.access.fields import TEXT_PATTERN
from services.api.access.route import Who, admin_router, needs
from services.api.sites.fields import Slug
from services.api.sites.groups.service import Groups
from services.api.sites.registry import Registry
from services.model.account import Role
from services.model.default_period import DefaultPeriod
from services.model.group import MAX_SITES, Group, GroupTree

GroupName = Annotated[str, Field(max_length=200, pattern=TEXT_PATTERN)]
ParentSlug = Annotated[
    str, Field(max_length=64, description="slug of the group it is part of; '' for none")
]
OwnSites = Annotated[
    list[Slug], Field(max_length=MAX_SITES, description="slugs of sites; groups may share some")
]

IsPublic = Annotated[
    StrictBool,
    Field(description="whether anybody may see the table of those of its sites that are public"),
]


GroupPeriod = Annotated[
    DefaultPeriod,
    Field(description="what pages of its sites open with, and of those below, that have none"),
]


class GroupFields(BaseModel):
    """What changes of a group."""

    model_config = ConfigDict(extra="forbid")

    name: GroupName | None = None
    parent: ParentSlug | None = None
    sites: OwnSites | None = None
    public: IsPublic | None = None
    default_period: GroupPeriod | None = None


class NewGroup(BaseModel):
    """A group that is to be made."""

    model_config = ConfigDict(extra="forbid")

    slug: Slug
    name: GroupName = ""
    parent: ParentSlug = ""
    sites: OwnSites = []
    public: IsPublic = False
    default_period: GroupPeriod = DefaultPeriod.OF_GROUP


class GroupOut(BaseModel):
    """A group of sites."""

    slug: str
    name: str
    parent: str
    sites: list[str] = Field(description="slugs of its own sites")
    all_sites: list[str] = Field(description="slugs of these and of all groups below, each once")
    public: IsPublic
    default_period: DefaultPeriod = Field(description="'' is that of the group above")
    created_at: int = Field(description="milliseconds since 1970, UTC")


class GroupList(BaseModel):
    """Every group."""

    groups: list[GroupOut]


OfGroup = Annotated[str, Path(alias="group", description="the slug of a group", max_length=64)]


def router(registry: Callable[[], Registry], groups: Callable[[], Groups]) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router("/groups")

    def out(tree: GroupTree, group: Group) -> GroupOut:
        known = groups()
        return GroupOut(
            slug=group.slug,
            name=group.name,
            parent=group.parent,
            sites=[site.slug for site in known.sites(group.sites)],
            all_sites=[site.slug for site in known.sites(tree.sites_of(group))],
            public=group.public,
            default_period=group.default_period,
            created_at=group.created_at,
        )

    @routes.get("")
    @needs(Role.VIEWER)
    async def list_groups(who: Who) -> GroupList:
        """Every group that is yours, by slug."""
        registry().require_loaded()
        tree = await groups().tree()
        mine = [group for group in tree.by_slug.values() if who.has_group(group.slug)]
        return GroupList(groups=[out(tree, group) for group in mine])

    @routes.post("", status_code=HTTPStatus.CREATED)
    @needs(Role.OWNER)
    async def add_group(new: NewGroup, who: Who) -> GroupOut:
        """Create a group; 409 when its slug is taken."""
        group = await groups().add(
            who,
            new.slug,
            new.name,
            new.parent,
            new.sites,
            public=new.public,
            default_period=new.default_period,
        )
        return out(await groups().tree(), group)

    @routes.get("/{group}")
    @needs(Role.VIEWER)
    async def read_group(slug: OfGroup, who: Who) -> GroupOut:
        """One group; 404 also for one that is not yours."""
        registry().require_loaded()
        return out(await groups().tree(), await groups().group(slug, who))

    @routes.patch("/{group}")
    @needs(Role.OWNER)
    async def edit_group(slug: OfGroup, changes: GroupFields, who: Who) -> GroupOut:
        """Change the fields that are given, and no other; `sites` replaces those that it has."""
        registry().require_loaded()
        group = await groups().edit(
            who,
            slug,
            changes.name,
            changes.parent,
            changes.sites,
            public=changes.public,
            default_period=changes.default_period,
        )
        return out(await groups().tree(), group)

    @routes.delete("/{group}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.OWNER)
    async def remove_group(slug: OfGroup, who: Who) -> None:
        """Remove a group that none is below; its sites stay as they are."""
        registry().require_loaded()
        await groups().remove(who, slug)

    return routes
