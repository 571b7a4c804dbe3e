"""Creates, edits and removes groups of sites; every change is in the audit log."""

import time
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from services.api.access import members
from services.api.access.accounts import Accounts
from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.sites.registry import Registry
from services.http.errors import ApiError, Translatable, bad_request, shown
from services.model.default_period import DefaultPeriod
from services.model.group import MAX_GROUPS, MAX_SITES, Group, GroupTree
from services.model.site import Site


class Groups:
    """Every group of sites, loaded and changed with the users and tokens that have access."""

    def __init__(
        self,
        registry: Registry,
        accounts: Accounts,
        audit: Audit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._accounts = accounts
        self._audit = audit
        self._clock = clock

    async def tree(self) -> GroupTree:
        """Return every group. Raises ApiError, 503, until they could be loaded."""
        await self._accounts.fresh()
        return self._tree

    async def group(self, slug: str, who: Principal | None = None) -> Group:
        """Return the group with a slug. Raises ApiError, 404, also if `who` has no access to it."""
        group = _known(await self.tree(), slug)
        if who is not None and not who.has_group(slug):
            raise no_group(slug)
        return group

    async def fresh(self) -> None:
        """Load what other processes changed, as far as the stores answer."""
        await self._accounts.fresh()

    def default_period(self, site: Site) -> DefaultPeriod:
        """Return the period that a site's page opens with, by the groups known now.

        Raises ApiError, 503, until they are loaded.
        """
        return site.default_period or self._tree.default_period(site.kept_as)

    def default_period_of(self, slug: str) -> DefaultPeriod:
        """Return the period that a group's page opens with, by the groups known now.

        Raises ApiError, 503, until they are loaded.
        """
        group = self._tree.by_slug.get(slug)
        return DefaultPeriod.OF_GROUP if group is None else self._tree.period_of(group)

    async def sites_of(self, group: Group) -> list[Site]:
        """Return the sites of a group and all below it, each once, by slug. Raises ApiError."""
        return self.sites((await self.tree()).sites_of(group))

    def sites(self, names: Iterable[str]) -> list[Site]:
        """Return the sites kept under these names, by slug, without removed ones."""
        known = (self._registry.kept(name) for name in names)
        return sorted((site for site in known if site), key=lambda site: site.slug)

    async def add(
        self,
        who: Principal,
        slug: str,
        name: str,
        parent: str,
        sites: Sequence[str],
        public: bool = False,
        default_period: DefaultPeriod = DefaultPeriod.OF_GROUP,
    ) -> Group:
        """Create a group of sites, given by slug. Raises ApiError: 409 when its slug is taken."""
        group = Group(
            slug=slug,
            name=name,
            parent=parent,
            sites=self._names(sites),
            default_period=default_period,
            created_at=int(self._clock() * 1000),
            public=public,
        )
        async with self._accounts.changing():
            tree = self._tree
            if slug in tree.by_slug:
                raise ApiError(HTTPStatus.CONFLICT, {"slug": f"{shown(slug)} is a group already"})
            if len(tree.by_slug) >= MAX_GROUPS:
                message = f"there are {MAX_GROUPS} groups; remove some first"
                raise ApiError(HTTPStatus.CONFLICT, {"groups": message})
            _check(tree, group)
            async with self._audit.recorded(who, "group.add", slug, after=self._told(group)):
                await self._accounts.save_group(group)
        return group

    async def edit(
        self,
        who: Principal,
        slug: str,
        name: str | None = None,
        parent: str | None = None,
        sites: Sequence[str] | None = None,
        public: bool | None = None,
        default_period: DefaultPeriod | None = None,
    ) -> Group:
        """Change the given fields of a group, and nothing else. Raises ApiError.

        `sites` replaces those that it has; currently removed sites stay, in case they are restored.
        """
        async with self._accounts.changing():
            tree = self._tree
            was = _known(tree, slug)
            removed = [one for one in was.sites if self._registry.kept(one) is None]
            group = msgspec.structs.replace(
                was,
                name=was.name if name is None else name,
                parent=was.parent if parent is None else parent,
                sites=was.sites if sites is None else self._names(sites, removed),
                public=was.public if public is None else public,
                default_period=was.default_period if default_period is None else default_period,
            )
            if group.parent != was.parent:
                _check(tree, group)
            if group != was:
                before, after = self._told(was), self._told(group)
                async with self._audit.recorded(
                    who, "group.edit", slug, before=before, after=after
                ):
                    await self._accounts.save_group(group)
        return group

    async def remove(self, who: Principal, slug: str) -> None:
        """Remove a group, and all rights to it; its sites stay.

        Raises ApiError: 409 when there are groups below it.
        """
        async with self._accounts.changing():
            tree = self._tree
            group = _known(tree, slug)
            if below := tree.children(slug):
                names = ", ".join(one.slug for one in below[:5])
                message = f"{names}: below {slug}; move or remove what is below it first"
                raise ApiError(HTTPStatus.CONFLICT, {"group": message})
            before = self._told(group)
            # Before the group: a new one with its slug must not inherit rights to this one.
            if having := members.having(self._accounts, group.place):
                before["rights"] = having
            async with self._audit.recorded(who, "group.remove", slug, before=before):
                await members.take(self._accounts, group.place)
                await self._accounts.remove_group(slug)

    async def forget(self, name: str) -> None:
        """Remove an erased site from every group, by the name it was kept under.

        Raises ApiError, 503, and StoreError.
        """
        async with self._accounts.changing():
            for group in self._tree.by_slug.values():
                if name in group.sites:
                    left = tuple(one for one in group.sites if one != name)
                    await self._accounts.save_group(msgspec.structs.replace(group, sites=left))

    @property
    def _tree(self) -> GroupTree:
        return self._accounts.rights.tree

    def _names(self, slugs: Sequence[str], removed: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the names that sites, given by slug, are kept under, plus removed ones."""
        registry = self._registry.require_loaded()
        unknown = [slug for slug in slugs if registry.get(slug) is None]
        if unknown:
            names = ", ".join(map(shown, unknown[:5]))
            raise bad_request("sites", f"{names}; expected sites of this server")
        present = (site.kept_as for slug in slugs if (site := registry.get(slug)) is not None)
        names_kept = tuple(sorted({*present, *removed}))
        if len(names_kept) > MAX_SITES:
            message = f"{len(names_kept)} sites; expected at most {MAX_SITES}, those removed too"
            raise bad_request("sites", message)
        return names_kept

    def _told(self, group: Group) -> dict[str, Any]:
        """Return what the audit log records about a group, with its sites by slug."""
        slugs = [site.slug for site in self.sites(group.sites)]
        return {
            "name": group.name,
            "parent": group.parent,
            "sites": slugs,
            "public": group.public,
            "default_period": group.default_period,
        }


def _known(tree: GroupTree, slug: str) -> Group:
    group = tree.by_slug.get(slug)
    if group is None:
        raise no_group(slug)
    return group


def no_group(slug: str) -> ApiError:
    """Return the refusal of an unknown group."""
    message = Translatable(f"{shown(slug)} is no group", "error.unknown_group", slug=shown(slug))
    return ApiError(HTTPStatus.NOT_FOUND, {"group": message})


def _check(tree: GroupTree, group: Group) -> None:
    try:
        tree.check(group)
    except ValueError as error:
        raise bad_request("parent", str(error)) from error
