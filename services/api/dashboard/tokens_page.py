"""`/admin/tokens`: what programs show instead of a password, for owners."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from pydantic import ValidationError
from starlette.responses import Response

from services.api.access.token_routes import NewToken
from services.api.dashboard.site_form import mistakes
from services.api.dashboard.visit import HOME, Visit
from services.http.errors import ApiError
from services.model.account import ALL_SITES, Role

TOKENS = f"{HOME}/tokens"
DAYS = ("30", "90", "365", "")
"""After how many days a token may end; '' is never."""


async def tokens(visit: Visit) -> Response:
    """Return every token, and the form for another."""
    return await _tokens(visit, {}, "")


async def add(visit: Visit) -> Response:
    """Make a token; only this answer shows it."""
    form = visit.form
    days = form.get("days")
    try:
        if days not in DAYS:
            raise ApiError(HTTPStatus.BAD_REQUEST, {"days": f"expected one of {', '.join(DAYS)}"})
        now = datetime.fromtimestamp(visit.parts.clock(), UTC)
        new = NewToken.model_validate(
            {
                "role": form.get("role"),
                "sites": form.all("sites"),
                "note": form.get("note"),
                "expires_at": now + timedelta(days=int(days)) if days else None,
            }
        )
        _, secret = await visit.parts.tokens.add(
            visit.who, new.role, new.sites, new.note, new.expires_at
        )
    except (ValidationError, ApiError) as error:
        return await _tokens(visit, mistakes(error), "")
    return await _tokens(visit, {}, secret)


async def revoke(visit: Visit) -> Response:
    """Revoke a token."""
    await visit.parts.tokens.revoke(visit.who, visit.request.path_params["id"])
    return visit.go(TOKENS, saved=True)


async def _tokens(visit: Visit, errors: Mapping[str, str], secret: str) -> Response:
    known = visit.parts.tokens
    held = await known.all()
    return visit.page(
        "tokens.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        tokens=[(token, known.is_expired(token)) for token in reversed(held)],
        used=await known.used(),
        secret=secret,
        form=visit.form,
        errors=errors,
        days=DAYS,
        roles=list(Role),
        sites=visit.parts.registry.all(),
        chosen=visit.form.all("sites") if errors else [],
        role=visit.form.get("role", Role.VIEWER),
        all_sites=ALL_SITES,
    )
