"""Creates and revokes the tokens that programs use instead of a password."""

import datetime
import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import msgspec

from services.api.access.audit import Audit
from services.api.access.authenticator import Authenticator
from services.api.access.principal import Principal
from services.http.errors import ApiError, bad_request, shown, unavailable
from services.model.account import Role, Token

PREFIX = "luot_"
"""What every token begins with, so that one that leaked is recognised."""
SECRET_BYTES = 32
MAX_TOKENS = 10_000


class Tokens:
    """Every token; every change of one is in the audit log."""

    def __init__(
        self,
        authenticator: Authenticator,
        audit: Audit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticator = authenticator
        self._audit = audit
        self._clock = clock

    async def all(self) -> list[Token]:
        """Return every token, the oldest first. Raises ApiError until they are loaded."""
        accounts = self._authenticator.accounts
        await accounts.fresh()
        if not accounts.loaded:
            raise unavailable("the tokens are not loaded yet")
        return sorted(accounts.tokens.values(), key=lambda token: (token.created_at, token.id))

    async def used(self) -> dict[str, int]:
        """Return when tokens were last used, in ms since 1970, as far as known."""
        return await self._authenticator.last_used.all()

    async def add(
        self,
        who: Principal,
        role: Role,
        sites: list[str],
        note: str,
        expires_at: datetime.datetime | None,
    ) -> tuple[Token, str]:
        """Make a token; return it and its secret. Raises ApiError."""
        now = self._now()
        expires = None if expires_at is None else int(expires_at.timestamp() * 1000)
        if expires is not None and expires <= now:
            raise bad_request("expires_at", f"{expires_at} is over; expected a time to come")
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        async with self._authenticator.accounts.changing():
            token = Token(
                id=secrets.token_hex(6),
                digest=sha256(secret.encode()).hexdigest(),
                role=role,
                sites=self._authenticator.accounts.rights.checked(role, sites),
                note=note,
                created_at=now,
                created_by=who.name,
                expires_at=expires,
            )
            if len(self._authenticator.accounts.tokens) >= MAX_TOKENS:
                message = f"there are {MAX_TOKENS} tokens; revoke some first"
                raise ApiError(HTTPStatus.CONFLICT, {"tokens": message})
            async with self._audit.recorded(who, "token.add", token.id, after=public_fields(token)):
                await self._authenticator.accounts.save_token(token)
        return token, secret

    async def revoke(self, who: Principal, name: str) -> None:
        """Revoke a token: it stops working within a second, everywhere. Raises ApiError."""
        async with self._authenticator.accounts.changing():
            token = self._authenticator.accounts.tokens.get(name)
            if token is None:
                raise ApiError(HTTPStatus.NOT_FOUND, {"id": f"{shown(name)} is no token"})
            async with self._audit.recorded(who, "token.revoke", name, before=public_fields(token)):
                await self._authenticator.accounts.remove_token(name)
        await self._authenticator.last_used.forget(name)

    def is_expired(self, token: Token) -> bool:
        """Tell whether a token has expired."""
        return token.is_expired(self._now())

    def _now(self) -> int:
        return int(self._clock() * 1000)


def public_fields(token: Token) -> dict[str, Any]:
    """Return what may be shown of a token: nothing that gives access."""
    everything: dict[str, Any] = msgspec.to_builtins(token)
    return {name: everything[name] for name in ("id", "role", "sites", "note", "expires_at")}
