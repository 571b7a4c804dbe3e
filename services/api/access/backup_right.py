"""Who may take a backup: it holds everything, so a browser that was left open is not enough."""

from http import HTTPStatus

from starlette.requests import Request

from services.api.access.authenticator import Authenticator
from services.api.access.principal import Principal
from services.http.errors import ApiError
from services.model.account import Role

PROVED_SECONDS = 600
"""How long a password that was given again counts."""


async def check(request: Request, who: Principal, authenticator: Authenticator, now: float) -> None:
    """Return if an owner has just given the password, or a program has the right.

    Raises ApiError, 403, with what to do.
    """
    if who.kind == "admin token" or who.role is Role.BACKUP:
        return
    if who.kind == "token":
        text = "this takes a token with the role backup: luot token add --role backup"
        raise ApiError(HTTPStatus.FORBIDDEN, {"role": f"{who.name} is {who.role}; {text}"})
    session = await authenticator.session(request)
    if session is None or now >= session.proved + PROVED_SECONDS:
        text = "a backup holds everything; give your password again: POST /api/admin/prove"
        raise ApiError(HTTPStatus.FORBIDDEN, {"password": text})
