"""Adds, changes and removes the people who may sign in."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import msgspec

from services.api.access import passwords
from services.api.access.accounts import Accounts
from services.api.access.audit import Audit
from services.api.access.authenticator import Authenticator
from services.api.access.passwords import Passwords
from services.api.access.principal import Principal
from services.api.sites.registry import Registry
from services.http.errors import ApiError, Translatable, bad_request, shown, unavailable
from services.model.account import ALL_SITES, Role, User
from services.state.errors import StateError

MOST_SITES = 200
"""How many sites' names and hosts a password is checked against; slugs are checked for all."""


class Users:
    """Every user; every change of one is in the audit log."""

    def __init__(
        self,
        authenticator: Authenticator,
        hashing: Passwords,
        audit: Audit,
        registry: Registry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticator = authenticator
        self._hashing = hashing
        self._audit = audit
        self._registry = registry
        self._clock = clock

    async def all(self) -> list[User]:
        """Return every user, by name. Raises ApiError until they are loaded."""
        await self._accounts.fresh()
        if not self._accounts.loaded:
            raise unavailable("the users are not loaded yet")
        return sorted(self._accounts.users.values(), key=lambda user: user.name)

    def groups(self) -> dict[str, str]:
        """Return every group that a right can be for, `group/slug` → its path of names.

        In tree order. Raises ApiError until they are loaded.
        """
        tree = self._accounts.rights.tree
        paths = ((group.place, tree.path(group)) for group in tree.by_slug.values())
        names = {place: " › ".join(one.name or one.slug for one in path) for place, path in paths}
        return dict(sorted(names.items(), key=lambda named: (named[1].casefold(), named[0])))

    async def add(
        self,
        who: Principal,
        name: str,
        password: str,
        role: Role,
        sites: list[str],
        second_factor_required: bool = False,
    ) -> User:
        """Add a user. Raises ApiError, 409 when the name is taken."""
        theirs = self._accounts.rights.checked(role, sites)
        hashed = await self._hashed(name, password, theirs)
        async with self._accounts.changing():
            if name in self._accounts.users:
                raise ApiError(HTTPStatus.CONFLICT, {"name": f"{shown(name)} exists already"})
            now = self._now()
            theirs = self._accounts.rights.checked(role, sites)
            user = User(
                name=name,
                password=hashed,
                role=role,
                sites=theirs,
                stamp=secrets.token_hex(8),
                created_at=now,
                password_at=now,
                second_factor_required=second_factor_required,
            )
            async with self._audit.recorded(who, "user.add", name, after=public_fields(user)):
                await self._accounts.save_user(user)
        return user

    async def edit(
        self,
        who: Principal,
        name: str,
        role: Role | None,
        sites: list[str] | None,
        second_factor_required: bool | None = None,
    ) -> User:
        """Change role, sites and second-factor requirement, if given. Raises ApiError."""
        async with self._accounts.changing():
            user = self._known(name)
            new_role = user.role if role is None else role
            if sites is not None or new_role is Role.OWNER:
                theirs = self._accounts.rights.checked(new_role, sites or ())
            elif user.role is Role.OWNER:
                raise bad_request("sites", f"none; say which sites are theirs as {new_role}")
            else:
                theirs = user.sites
            edited = msgspec.structs.replace(user, role=new_role, sites=theirs)
            if second_factor_required is not None:
                edited = msgspec.structs.replace(
                    edited, second_factor_required=second_factor_required
                )
            if edited == user:
                return user
            self._check_owner_left(edited.name, edited)
            change = self._audit.recorded(
                who, "user.edit", name, before=public_fields(user), after=public_fields(edited)
            )
            async with change:
                await self._accounts.save_user(edited)
        return edited

    async def set_password(self, who: Principal, name: str, password: str) -> User:
        """Set another password; every session of the user ends. Raises ApiError."""
        known = self._known(name)
        if known.identity:
            text = f"{name} signs in elsewhere, and has no password here"
            raise ApiError(
                HTTPStatus.CONFLICT, {"password": Translatable(text, "outside.no_password")}
            )
        hashed = await self._hashed(name, password, known.sites)
        async with self._accounts.changing():
            user = msgspec.structs.replace(
                self._known(name),
                password=hashed,
                stamp=secrets.token_hex(8),
                password_at=self._now(),
            )
            async with self._audit.recorded(who, "user.password", name):
                await self._accounts.save_user(user)
        await self._end_sessions(name)
        return user

    async def remove(self, who: Principal, name: str) -> None:
        """Remove a user; every session of theirs ends. Raises ApiError."""
        async with self._accounts.changing():
            user = self._known(name)
            self._check_owner_left(name, None)
            async with self._audit.recorded(who, "user.remove", name, before=public_fields(user)):
                await self._accounts.remove_user(name)
        await self._end_sessions(name)

    @property
    def _accounts(self) -> Accounts:
        return self._authenticator.accounts

    async def _hashed(self, name: str, password: str, places: Sequence[str]) -> str:
        """Return the hash of a password. Raises ApiError when the user may not have it."""
        reached = self._accounts.rights.reach(places).slugs
        theirs = [site for site in self._registry.all() if {site.slug, ALL_SITES} & reached]
        known = [word for site in theirs[:MOST_SITES] for word in (site.name, *site.hosts)]
        slugs = [site.slug for site in theirs]
        refusal = await asyncio.to_thread(passwords.check, name, password, [*slugs, *known])
        if refusal is not None:
            raise bad_request("password", refusal)
        return await self._hashing.hash(password)

    def _known(self, name: str) -> User:
        user = self._accounts.users.get(name)
        if user is None:
            raise ApiError(HTTPStatus.NOT_FOUND, {"name": f"{shown(name)} is no user"})
        return user

    def _check_owner_left(self, name: str, edited: User | None) -> None:
        """Refuse a change that would leave no owner."""
        users = {**self._accounts.users, name: edited}
        if any(user is not None and user.role is Role.OWNER for user in users.values()):
            return
        if self._accounts.users[name].role is Role.OWNER:
            message = f"{name} is the last owner; make somebody else an owner first"
            raise ApiError(HTTPStatus.CONFLICT, {"name": message})

    async def _end_sessions(self, name: str) -> None:
        # If Redis is down, they end even so: their stamp is no longer the user's.
        with suppress(StateError):
            await self._authenticator.sessions.end_some(name)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def public_fields(user: User) -> dict[str, Any]:
    """Return the fields of a user that may be shown: nothing of the password."""
    return {
        "name": user.name,
        "role": user.role,
        "sites": list(user.sites),
        "second_factor_required": user.second_factor_required,
    }
