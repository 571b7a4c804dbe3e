"""Finds out who sends a request."""

from typing import cast

from starlette.requests import Request

from services.api.access.gate import Gate
from services.api.access.principal import Principal


async def principal(request: Request, csrf: str | None = None) -> Principal | None:
    """Return who asks, by bearer token or session; None for somebody who says nothing.

    A request of a session that changes something needs the session's CSRF token, in the header
    X-CSRF-Token or, read from a form, in `csrf`. Raises ApiError: 401 for a token that is wrong,
    revoked or expired, 403 for a request of a session that another site may have sent, 503 while
    tokens cannot be checked.
    """
    return await gate(request).principal(request, csrf)


def gate(request: Request) -> Gate:
    """Return what the application asks about everybody."""
    return cast("Gate", request.app.state.gate())
