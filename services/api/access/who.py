"""Finds out who sends a request."""

from typing import cast

from starlette.requests import Request

from services.api.access.gate import Gate
from services.api.access.principal import Principal
from services.api.errors import unknown_site
from services.model.site import Site


async def principal(request: Request, csrf: str | None = None) -> Principal | None:
    """Return who asks, by bearer token or session; None for somebody who says nothing.

    A request of a session that changes something needs the session's CSRF token, in the header
    X-CSRF-Token or, read from a form, in `csrf`. Raises ApiError: 401 for a token that is wrong,
    revoked or expired, 403 for a request of a session that another site may have sent, 503 while
    tokens cannot be checked.
    """
    return await gate(request).principal(request, csrf)


async def require_reader(request: Request, site: Site) -> Principal | None:
    """Return who asks, if they may read the numbers of a site; None is anybody, where it is public.

    Raises ApiError: 401 for somebody unknown, 404 for somebody to whom the site is none of theirs.
    """
    asking = gate(request)
    who = await asking.principal(request)
    if who is None:
        if not site.public_dashboard:
            raise asking.stranger(request)
    elif not who.may_read(site):
        raise unknown_site(site.slug)
    return who


def gate(request: Request) -> Gate:
    """Return what the application asks about everybody."""
    return cast("Gate", request.app.state.gate())
