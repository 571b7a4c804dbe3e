"""Accounts of people vouched for by a provider or proxy: created and updated when they sign in."""

import re
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus

import msgspec

from services.api.access.audit import Audit
from services.api.access.authenticator import Authenticator
from services.api.access.group_roles import Granted, OutsidePerson
from services.api.access.principal import Principal
from services.api.access.users import public_fields
from services.api.sites.registry import Registry
from services.http.errors import ApiError, Translatable, shown, unavailable
from services.model.account import ALL_SITES, NAME_PATTERN, Role, User
from services.state.errors import StateError


class OutsideAccounts:
    """Updates their role from their groups at every sign-in; all of it is in the audit log."""

    def __init__(
        self,
        authenticator: Authenticator,
        audit: Audit,
        registry: Registry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticator = authenticator
        self._audit = audit
        self._registry = registry
        self._clock = clock

    async def admit(self, person: OutsidePerson) -> User:
        """Return the account of a person, created or updated according to their groups.

        Raises ApiError: 403 if no group gives them a role, or an existing site; 409 if the name
        belongs to an account that is not theirs; 503 while the store cannot be written.
        """
        accounts = self._authenticator.accounts
        await accounts.fresh()
        if not accounts.loaded:
            raise unavailable("the users are not loaded yet")
        self._registry.require_loaded()
        granted = self._existing(person.granted)
        known = self.found(person.identity)
        if granted is None:
            if known is not None and known.sites:
                await self._change(person, known.name, Granted(Role.VIEWER, ()))
                await self._end_sessions(known.name)
            raise _no_role(person)
        if known is None:
            return await self._add(person, granted)
        if Granted(known.role, known.sites) == granted:
            return known
        return await self._change(person, known.name, granted)

    def found(self, identity: str) -> User | None:
        """Return the account of an identity, if there is one."""
        users = self._authenticator.accounts.users.values()
        return next((user for user in users if user.identity == identity), None)

    def _existing(self, granted: Granted | None) -> Granted | None:
        """Return what is granted on existing sites and groups, by their current slugs."""
        if granted is None or ALL_SITES in granted.sites:
            return granted
        sites = self._authenticator.accounts.rights.existing(granted.sites)
        return Granted(granted.role, sites) if sites else None

    async def _add(self, person: OutsidePerson, granted: Granted) -> User:
        name = person.name
        if re.fullmatch(NAME_PATTERN, name) is None or name.endswith("\n"):
            text = (
                f"{shown(name)} cannot be the name of an account; expected a-z, 0-9 and . _ @ + -"
            )
            raise ApiError(
                HTTPStatus.FORBIDDEN, {"name": Translatable(text, "outside.name", name=name)}
            )
        accounts = self._authenticator.accounts
        async with accounts.changing():
            if (known := self.found(person.identity)) is not None:
                return known
            if name in accounts.users:
                text = f"{name} is an account of somebody else here; an owner can remove it"
                message = Translatable(text, "outside.taken", name=name)
                raise ApiError(HTTPStatus.CONFLICT, {"name": message})
            user = User(
                name=name,
                password="",
                role=granted.role,
                sites=granted.sites,
                stamp=secrets.token_hex(16),
                created_at=int(self._clock() * 1000),
                identity=person.identity,
            )
            after = {**public_fields(user), "sign_in": person.by}
            async with self._audit.recorded(_who(person), "user.add", name, after=after):
                await accounts.save_user(user)
        return user

    async def _change(self, person: OutsidePerson, name: str, granted: Granted) -> User:
        accounts = self._authenticator.accounts
        async with accounts.changing():
            user = accounts.users.get(name)
            if user is None or user.identity != person.identity:
                raise _no_role(person)
            changed = msgspec.structs.replace(user, role=granted.role, sites=granted.sites)
            change = self._audit.recorded(
                _who(person),
                "user.edit",
                name,
                before=public_fields(user),
                after=public_fields(changed),
            )
            async with change:
                await accounts.save_user(changed)
        return changed

    async def _end_sessions(self, name: str) -> None:
        try:
            await self._authenticator.sessions.end_some(name)
        except StateError as error:
            raise unavailable(f"the sessions cannot be ended now: {error}") from error


def _who(person: OutsidePerson) -> Principal:
    """Return who makes the change, as the audit log names them: the groups do."""
    return Principal(f"groups:{person.by}", Role.OWNER, frozenset({ALL_SITES}))


def _no_role(person: OutsidePerson) -> ApiError:
    text = f"{person.name} is in no group that may do anything here"
    message = Translatable(text, "outside.no_role", name=person.name)
    return ApiError(HTTPStatus.FORBIDDEN, {"sign_in": message})
