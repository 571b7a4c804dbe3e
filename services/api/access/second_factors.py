"""The second factor of users: turned on, checked at sign-in, turned off, reset."""

import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Literal

import msgspec

from services.api.access import codes
from services.api.access.accounts import Accounts
from services.api.access.audit import Audit
from services.api.access.authenticator import Authenticator
from services.api.access.principal import Principal
from services.http.errors import ApiError, Translatable, bad_request, shown
from services.model.account import User
from services.state.errors import StateError
from services.state.state import State
from services.state.used_codes import UsedCodes

Proof = Literal["code", "recovery code"]
"""What was given as a second factor."""


class SecondFactors:
    """Every change is in the audit log; none of the secrets is."""

    def __init__(
        self,
        authenticator: Authenticator,
        audit: Audit,
        state: State,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticator = authenticator
        self._audit = audit
        self._used = UsedCodes(state)
        self._clock = clock

    async def proof(self, user: User, code: str) -> Proof | None:
        """Use up a code of a user; None if it is invalid, or was used before.

        Raises StateError, or ApiError while the store cannot be written.
        """
        step = codes.step_of(user.second_factor, code, self._clock())
        if step is not None:
            return "code" if await self._used.use(user.name, step) else None
        digest = codes.digest(user.name, code)
        if digest not in user.recovery_codes:
            return None
        async with self._accounts.changing():
            user = self._known(user.name)
            left = tuple(one for one in user.recovery_codes if one != digest)
            if left == user.recovery_codes:
                return None
            await self._accounts.save_user(msgspec.structs.replace(user, recovery_codes=left))
        return "recovery code"

    async def turn_on(self, who: Principal, secret: str, code: str) -> list[str]:
        """Turn it on for the caller, with a code that proves that the app has the secret.

        Returns the recovery codes, which are stored only as digests. Raises ApiError.
        """
        if not codes.is_secret(secret):
            raise bad_request("secret", f"expected {codes.SECRET_LENGTH} letters of base 32")
        step = codes.step_of(secret, code, self._clock())
        if step is None:
            raise bad_request("code", Translatable("this is not the code of now", "second.wrong"))
        recovery = codes.new_recovery_codes()
        async with self._accounts.changing():
            user = self._known(who.name)
            if user.second_factor:
                text = "it is on; turn it off before another application gets it"
                raise ApiError(HTTPStatus.CONFLICT, {"second_factor": text})
            changed = msgspec.structs.replace(
                user,
                second_factor=secret,
                second_factor_at=int(self._clock() * 1000),
                recovery_codes=_digests(who.name, recovery),
            )
            async with self._audit.recorded(who, "second_factor.on", who.name):
                await self._accounts.save_user(changed)
        with suppress(StateError):
            # The code that turned it on must not sign in, too.
            await self._used.forget(who.name)
            await self._used.use(who.name, step)
        return recovery

    async def turn_off(self, who: Principal) -> None:
        """Turn it off for the caller. Raises ApiError, 403 if an owner requires it."""
        async with self._accounts.changing():
            user = self._enrolled(who.name)
            if user.second_factor_required:
                text = "an owner asks you for a second factor; it stays on"
                raise ApiError(
                    HTTPStatus.FORBIDDEN, {"second_factor": Translatable(text, "second.stays")}
                )
            async with self._audit.recorded(who, "second_factor.off", who.name):
                await self._accounts.save_user(_without(user))

    async def renew_recovery_codes(self, who: Principal) -> list[str]:
        """Make new recovery codes for the caller; the old ones stop working. Raises ApiError."""
        recovery = codes.new_recovery_codes()
        async with self._accounts.changing():
            user = self._enrolled(who.name)
            changed = msgspec.structs.replace(user, recovery_codes=_digests(who.name, recovery))
            async with self._audit.recorded(who, "second_factor.codes", who.name):
                await self._accounts.save_user(changed)
        return recovery

    async def reset(self, who: Principal, name: str) -> None:
        """Remove the second factor of a user, for example after losing a phone. Raises ApiError.

        Their sessions end; if it is required, they turn it on again when they sign in. Removing
        one's own needs the password: `turn_off`.
        """
        if who.kind == "user" and who.name == name:
            text = "this is yours; turn it off with your password"
            raise ApiError(
                HTTPStatus.CONFLICT, {"second_factor": Translatable(text, "second.yours")}
            )
        async with self._accounts.changing():
            user = self._enrolled(name)
            async with self._audit.recorded(who, "second_factor.reset", name):
                await self._accounts.save_user(_without(user))
        with suppress(StateError):
            await self._authenticator.sessions.end_some(name)

    @property
    def _accounts(self) -> Accounts:
        return self._authenticator.accounts

    def _known(self, name: str) -> User:
        user = self._accounts.users.get(name)
        if user is None:
            raise ApiError(HTTPStatus.NOT_FOUND, {"name": f"{shown(name)} is no user"})
        return user

    def _enrolled(self, name: str) -> User:
        user = self._known(name)
        if not user.second_factor:
            text = f"{name} has no second factor"
            raise ApiError(
                HTTPStatus.CONFLICT, {"second_factor": Translatable(text, "second.none")}
            )
        return user


def _digests(name: str, recovery: list[str]) -> tuple[str, ...]:
    return tuple(codes.digest(name, code) for code in recovery)


def _without(user: User) -> User:
    return msgspec.structs.replace(user, second_factor="", second_factor_at=0, recovery_codes=())
