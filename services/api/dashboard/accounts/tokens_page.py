"""`/admin/tokens`: the tokens by which programs use the API, for owners."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from pydantic import ValidationError
from starlette.responses import Response

from services.api.access.token_routes import NewToken
from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.http.errors import ApiError
from services.model.account import ALL_SITES, Role

TOKENS = f"{HOME}/tokens"
DAYS = ("30", "90", "365", "")
"""Days until a token expires; '' is never."""
_USUAL_DAYS = "365"


async def tokens(page: PageRequest) -> Response:
    """Return every token, and the form for a new one."""
    return await _tokens(page, {}, "")


async def add(page: PageRequest) -> Response:
    """Create a token; only this response shows its secret."""
    form = page.form
    days = form.get("days")
    try:
        if days not in DAYS:
            raise ApiError(HTTPStatus.BAD_REQUEST, {"days": f"expected one of {', '.join(DAYS)}"})
        now = datetime.fromtimestamp(page.dependencies.clock(), UTC)
        new = NewToken.model_validate(
            {
                "role": form.get("role"),
                "sites": form.all("sites"),
                "note": form.get("note"),
                "expires_at": now + timedelta(days=int(days)) if days else None,
            }
        )
        _, secret = await page.dependencies.tokens.add(
            page.principal, new.role, new.sites, new.note, new.expires_at
        )
    except (ValidationError, ApiError) as error:
        return await _tokens(page, mistakes(error), "")
    return await _tokens(page, {}, secret)


async def revoke(page: PageRequest) -> Response:
    """Revoke a token."""
    await page.dependencies.tokens.revoke(page.principal, page.request.path_params["id"])
    return page.redirect(TOKENS, saved=True)


async def _tokens(page: PageRequest, errors: Mapping[str, str], secret: str) -> Response:
    tokens = page.dependencies.tokens
    newest_first = reversed(await tokens.all())
    return page.render(
        "tokens.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        tokens=[(token, tokens.is_expired(token)) for token in newest_first],
        used=await tokens.used(),
        secret=secret,
        form=page.form,
        errors=errors,
        days=DAYS,
        chosen_days=page.form.get("days", _USUAL_DAYS) if errors else _USUAL_DAYS,
        roles=list(Role),
        sites=page.dependencies.registry.all(),
        groups=page.dependencies.users.groups(),
        chosen=page.form.all("sites") if errors else [],
        role=page.form.get("role", Role.VIEWER),
        all_sites=ALL_SITES,
    )
