"""Creates, edits and removes groups of sites; every change is in the audit log."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from services.api.access.accounts import Accounts
from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.sites.registry import Registry
from services.http.errors import ApiError, Told, bad_request, shown, unavailable
from services.model.group import MAX_GROUPS, MAX_SITES, Group, GroupTree
from services.model.site import Site
from services.runtime.outage import Outage
from services.store.groups import GROUPS
from services.store.interface import Store, StoreError

FRESH_SECONDS = 1.0
"""How old what this process knows of changes by others may be."""

log = logging.getLogger(__name__)


class Groups:
    """Every group of sites, read again from the store where what is known is old.

    Changes are made one at a time in all processes, by the lock of users and tokens.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        accounts: Accounts,
        audit: Audit,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._registry = registry
        self._accounts = accounts
        self._audit = audit
        self._clock = clock
        self._monotonic = monotonic
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._version = 0
        self._tree: GroupTree | None = None
        self._outage = Outage(
            log, "cannot load the groups, keeping those known", "the groups are loaded"
        )

    async def tree(self) -> GroupTree:
        """Return every group. Raises ApiError, 503, until they could be loaded."""
        async with self._reading:
            if self._tree is None or self._monotonic() >= self._read_at + FRESH_SECONDS:
                try:
                    await self._load()
                except StoreError as error:
                    self._outage.begins(error)
                    self._read_at = self._monotonic()
                else:
                    self._outage.ends()
        if self._tree is None:
            raise unavailable("the groups are not loaded yet")
        return self._tree

    async def group(self, slug: str) -> Group:
        """Return the group of a slug. Raises ApiError, 404."""
        return _known(await self.tree(), slug)

    async def sites_of(self, group: Group) -> list[Site]:
        """Return the sites of a group and of all below it, each once, by slug. Raises ApiError."""
        return self.sites((await self.tree()).sites_of(group))

    def sites(self, names: Iterable[str]) -> list[Site]:
        """Return the sites that are kept under names, by slug; those that are removed are not."""
        found = (self._registry.kept(name) for name in names)
        return sorted((site for site in found if site), key=lambda site: site.slug)

    async def add(
        self,
        who: Principal,
        slug: str,
        name: str,
        parent: str,
        sites: Sequence[str],
        public: bool = False,
    ) -> Group:
        """Create a group of slugs of sites. Raises ApiError: 409 when its slug is taken."""
        group = Group(
            slug=slug,
            name=name,
            parent=parent,
            sites=self._names(sites),
            created_at=int(self._clock() * 1000),
            public=public,
        )
        async with self._accounts.changing():
            tree = await self._load()
            if slug in tree.by_slug:
                raise ApiError(HTTPStatus.CONFLICT, {"slug": f"{shown(slug)} is a group already"})
            if len(tree.by_slug) >= MAX_GROUPS:
                message = f"there are {MAX_GROUPS} groups; remove some first"
                raise ApiError(HTTPStatus.CONFLICT, {"groups": message})
            _check(tree, group)
            async with self._audit.recorded(who, "group.add", slug, after=self._told(group)):
                await self._save(group)
        return group

    async def edit(
        self,
        who: Principal,
        slug: str,
        name: str | None = None,
        parent: str | None = None,
        sites: Sequence[str] | None = None,
        public: bool | None = None,
    ) -> Group:
        """Change what is given of a group, and nothing else. Raises ApiError.

        `sites` replaces those that it has; those that are removed now stay, for their return.
        """
        async with self._accounts.changing():
            tree = await self._load()
            was = _known(tree, slug)
            removed = [one for one in was.sites if self._registry.kept(one) is None]
            group = msgspec.structs.replace(
                was,
                name=was.name if name is None else name,
                parent=was.parent if parent is None else parent,
                sites=was.sites if sites is None else self._names(sites, removed),
                public=was.public if public is None else public,
            )
            if group.parent != was.parent:
                _check(tree, group)
            if group != was:
                before, after = self._told(was), self._told(group)
                async with self._audit.recorded(
                    who, "group.edit", slug, before=before, after=after
                ):
                    await self._save(group)
        return group

    async def remove(self, who: Principal, slug: str) -> None:
        """Remove a group; its sites stay. Raises ApiError: 409 where groups are below it."""
        async with self._accounts.changing():
            tree = await self._load()
            group = _known(tree, slug)
            if below := tree.children(slug):
                names = ", ".join(one.slug for one in below[:5])
                message = f"{names}: below {slug}; move or remove what is below it first"
                raise ApiError(HTTPStatus.CONFLICT, {"group": message})
            async with self._audit.recorded(who, "group.remove", slug, before=self._told(group)):
                self._version = self._next()
                await GROUPS.remove(self._store, slug, self._version)
            self._tree = GroupTree(one for one in tree.by_slug.values() if one.slug != slug)

    async def forget(self, name: str) -> None:
        """Take a site that was erased from every group, by the name it was kept under.

        Raises ApiError, 503, and StoreError.
        """
        if not any(name in one.sites for one in (await self._load()).by_slug.values()):
            return
        async with self._accounts.changing():
            for group in (await self._load()).by_slug.values():
                if name in group.sites:
                    left = tuple(one for one in group.sites if one != name)
                    await self._save(msgspec.structs.replace(group, sites=left))

    def _names(self, slugs: Sequence[str], removed: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the names that sites are kept under, given by slug, with those of removed ones."""
        registry = self._registry.require_loaded()
        unknown = [slug for slug in slugs if registry.get(slug) is None]
        if unknown:
            names = ", ".join(map(shown, unknown[:5]))
            raise bad_request("sites", f"{names}; expected sites of this server")
        found = (site.kept_as for slug in slugs if (site := registry.get(slug)) is not None)
        names_kept = tuple(sorted({*found, *removed}))
        if len(names_kept) > MAX_SITES:
            message = f"{len(names_kept)} sites; expected at most {MAX_SITES}, those removed too"
            raise bad_request("sites", message)
        return names_kept

    def _told(self, group: Group) -> dict[str, Any]:
        """Return what the audit log tells of a group, its sites by slug."""
        slugs = [site.slug for site in self.sites(group.sites)]
        return {
            "name": group.name,
            "parent": group.parent,
            "sites": slugs,
            "public": group.public,
        }

    async def _save(self, group: Group) -> None:
        self._version = self._next()
        await GROUPS.save(self._store, group.slug, group, self._version)
        known = {} if self._tree is None else self._tree.by_slug
        self._tree = GroupTree({**known, group.slug: group}.values())

    async def _load(self) -> GroupTree:
        begun = self._monotonic()
        loaded = await GROUPS.load(self._store)
        self._version = max(self._version, loaded.version)
        self._tree = tree = GroupTree(loaded.rows.values())
        self._read_at = begun
        return tree

    def _next(self) -> int:
        return max(self._version + 1, int(self._clock() * 1000))


def _known(tree: GroupTree, slug: str) -> Group:
    group = tree.by_slug.get(slug)
    if group is None:
        raise no_group(slug)
    return group


def no_group(slug: str) -> ApiError:
    """Return the refusal of a slug that no group has."""
    told = Told(f"{shown(slug)} is no group", "error.unknown_group", slug=shown(slug))
    return ApiError(HTTPStatus.NOT_FOUND, {"group": told})


def _check(tree: GroupTree, group: Group) -> None:
    try:
        tree.check(group)
    except ValueError as error:
        raise bad_request("parent", str(error)) from error
