"""`/api/admin/tokens`: what programs show instead of a password."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.api.access import fields
from services.api.access.route import Who, admin_router, needs
from services.api.access.tokens import Tokens, public_fields
from services.model.account import Role, Token


class NewToken(BaseModel):
    """A token that is to be made."""

    model_config = ConfigDict(extra="forbid")

    role: Role = Role.VIEWER
    sites: fields.SiteNames = []
    note: str = Field("", max_length=200, pattern=fields.TEXT_PATTERN, description="what it is for")
    expires_at: AwareDatetime | None = Field(None, description="with a time zone; null is never")


class TokenOut(BaseModel):
    """A token, without what is secret of it."""

    id: str
    role: Role
    sites: list[str]
    note: str
    created_at: int = Field(description="milliseconds since 1970, UTC")
    created_by: str
    expires_at: int | None = Field(description="milliseconds since 1970, UTC; null is never")
    expired: bool
    used_at: int | None = Field(description="last use, to ten minutes, as far as it is known")


class TokenMade(TokenOut):
    """A token that was just made; what is secret of it is never shown again."""

    token: str


class TokenList(BaseModel):
    """Every token."""

    tokens: list[TokenOut]


def router(tokens: Callable[[], Tokens]) -> APIRouter:
    """Return the routes; `tokens` is called for every request."""
    routes = admin_router("/tokens")

    @routes.get("")
    @needs(Role.OWNER)
    async def list_tokens() -> TokenList:
        """Every token, the oldest first."""
        known = tokens()
        used = await known.used()
        return TokenList(
            tokens=[
                _out(token, known.is_expired(token), used.get(token.id))
                for token in await known.all()
            ]
        )

    @routes.post("", status_code=HTTPStatus.CREATED)
    @needs(Role.OWNER)
    async def add_token(new: NewToken, who: Who) -> TokenMade:
        """Make a token; only this answer shows it."""
        made, secret = await tokens().add(who, new.role, new.sites, new.note, new.expires_at)
        return TokenMade(**_out(made, False, None).model_dump(), token=secret)

    @routes.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.OWNER)
    async def revoke_token(
        name: Annotated[str, Path(alias="id", description="the id of a token")], who: Who
    ) -> None:
        """Revoke a token: it stops working within a second, in every process."""
        await tokens().revoke(who, name)

    return routes


def _out(token: Token, expired: bool, used_at: int | None) -> TokenOut:
    return TokenOut(
        **public_fields(token),
        created_at=token.created_at,
        created_by=token.created_by,
        expired=expired,
        used_at=used_at,
    )
