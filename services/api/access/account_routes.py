"""`/api/admin/account`, `prove`, `sessions` and `second-factor`: one's own account."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.access import codes
from services.api.access.own_accounts import OwnAccount
from services.api.access.route import Who, admin_router, needs
from services.api.access.session_routes import person
from services.api.access.user_routes import Password
from services.http.errors import ApiError, shown
from services.model.account import Role

if TYPE_CHECKING:
    from services.api.access.service import Access

_NO_STORE = {"Cache-Control": "no-store"}


class ProofOfPassword(BaseModel):
    """One's own password, once more."""

    model_config = ConfigDict(extra="forbid")

    password: Password


class NewSecondFactor(ProofOfPassword):
    """An application that is to give the codes."""

    secret: str = Field(max_length=100, description="as `POST …/secret` gives them")
    code: str = Field(max_length=100, description="of now; it shows that the application has it")


class SecretMade(BaseModel):
    """A random secret, which is not kept: it counts once it comes back with a code."""

    secret: str
    address: str = Field(description="the same as applications read it, for a QR code")


class RecoveryCodes(BaseModel):
    """Codes for whoever has lost the application; each serves once. Never shown again."""

    recovery_codes: list[str]


class SecondFactorState(BaseModel):
    """Whether it is on."""

    on: bool
    since: int | None = Field(description="milliseconds since 1970, UTC")
    recovery_codes: int = Field(description="how many are left")
    required: bool = Field(description="an owner asks for it: it cannot be turned off")


class SessionOut(BaseModel):
    """A browser that is signed in; neither its address nor its User-Agent is kept."""

    id: str
    current: bool = Field(description="the one that asks")
    browser: str
    os: str
    country: str = Field(description="ISO 3166 code; '' without LUOT_COUNTRY_DATABASE")
    begun_at: int = Field(description="milliseconds since 1970, UTC")
    seen_at: int = Field(description="last use, to a minute")
    ends_at: int = Field(description="if it is not used again")


class SignInOut(BaseModel):
    """A sign-in of before."""

    at: int = Field(description="milliseconds since 1970, UTC")
    browser: str
    os: str
    country: str


class AccountOut(BaseModel):
    """Your account."""

    name: str
    role: Role
    second_factor: SecondFactorState
    last_sign_in: SignInOut | None = Field(description="the one before this session")
    refused: int | None = Field(
        description="attempts to sign in that were refused since then; null if it is not known"
    )
    sessions: list[SessionOut] = Field(description="the one that was used last first")


class SessionsEnded(BaseModel):
    """How many sessions there were."""

    ended: int


def router(access: Callable[[], Access]) -> APIRouter:
    """Return the routes; `access` is called for every request."""
    routes = admin_router()

    async def proved(request: Request, name: str, given: ProofOfPassword) -> None:
        await access().sign_in.proved(request, name, given.password.get_secret_value())

    @routes.get("/account")
    @needs(Role.VIEWER)
    async def read_account(request: Request, response: Response, who: Who) -> AccountOut:
        """Your sessions, your second factor, and when you signed in before."""
        response.headers.update(_NO_STORE)
        return out(await access().own.read(request, person(who)))

    @routes.post("/prove", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.VIEWER)
    async def prove(request: Request, given: ProofOfPassword, who: Who) -> None:
        """Give your password again: for ten minutes this session may take a backup."""
        await proved(request, person(who), given)

    @routes.delete("/sessions/{id}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.VIEWER)
    async def end_session(
        name: Annotated[str, Path(alias="id", description="the id of a session")], who: Who
    ) -> None:
        """End a session of yours, at once and everywhere."""
        if not await access().own.end_session(person(who), name):
            raise ApiError(
                HTTPStatus.NOT_FOUND, {"id": f"{shown(name)} is no session of {who.name}"}
            )

    @routes.delete("/sessions")
    @needs(Role.VIEWER)
    async def end_other_sessions(request: Request, who: Who) -> SessionsEnded:
        """End every session of yours but this one."""
        return SessionsEnded(ended=await access().own.end_others(request, person(who)))

    @routes.post("/second-factor/secret")
    @needs(Role.VIEWER, enrolling=True)
    async def make_secret(request: Request, response: Response, who: Who) -> SecretMade:
        """A secret for an application; nothing changes yet."""
        response.headers.update(_NO_STORE)
        secret = codes.new_secret()
        host = access().authenticator.clients.host(request)
        address = codes.address(secret, person(who), host)
        return SecretMade(secret=secret, address=address)

    @routes.put("/second-factor")
    @needs(Role.VIEWER, enrolling=True)
    async def turn_on(
        request: Request, response: Response, new: NewSecondFactor, who: Who
    ) -> RecoveryCodes:
        """Turn on your second factor: from now on a code is asked for when you sign in.

        Your other sessions end. Only this answer shows the recovery codes.
        """
        response.headers.update(_NO_STORE)
        await proved(request, person(who), new)
        recovery = await access().factors.turn_on(who, new.secret, new.code)
        await access().own.end_others(request, who.name)
        return RecoveryCodes(recovery_codes=recovery)

    @routes.post("/second-factor/off", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.VIEWER)
    async def turn_off(request: Request, given: ProofOfPassword, who: Who) -> None:
        """Turn off your second factor; 403 where an owner asks for it."""
        await proved(request, person(who), given)
        await access().factors.turn_off(who)

    @routes.post("/second-factor/recovery-codes")
    @needs(Role.VIEWER)
    async def renew_recovery_codes(
        request: Request, response: Response, given: ProofOfPassword, who: Who
    ) -> RecoveryCodes:
        """Make new recovery codes; those of before serve no more."""
        response.headers.update(_NO_STORE)
        await proved(request, person(who), given)
        recovery = await access().factors.renew_recovery_codes(who)
        return RecoveryCodes(recovery_codes=recovery)

    return routes


def out(own: OwnAccount) -> AccountOut:
    """Return an account as the API shows it."""
    user, last = own.user, own.last_sign_in
    return AccountOut(
        name=user.name,
        role=user.role,
        second_factor=SecondFactorState(
            on=bool(user.second_factor),
            since=user.second_factor_at or None,
            recovery_codes=len(user.recovery_codes),
            required=user.second_factor_required,
        ),
        last_sign_in=last
        and SignInOut(
            at=last.at,
            browser=last.origin.browser,
            os=last.origin.system,
            country=last.origin.country,
        ),
        refused=own.refused,
        sessions=[
            SessionOut(
                id=name,
                current=name == own.current,
                browser=session.browser,
                os=session.system,
                country=session.country,
                begun_at=int(session.begun * 1000),
                seen_at=int(session.seen * 1000),
                ends_at=int(session.ends * 1000),
            )
            for name, session in own.sessions
        ],
    )
