"""`/admin/account`: one's own password and sessions."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from services.api.access.own_accounts import OwnAccount
from services.api.access.session_routes import person
from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.dashboard.requests.routing import SIGN_IN
from services.http.errors import ApiError

ACCOUNT = f"{HOME}/account"
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)


async def account(page: PageRequest) -> Response:
    """Return the caller's account with its sessions, and the form for a new password."""
    return await _account(page, {}, HTTPStatus.OK)


async def own_password(page: PageRequest) -> Response:
    """Set one's own password; every session ends, including this one."""
    who, form, dependencies = page.principal, page.form, page.dependencies
    try:
        if who.kind != "user":
            raise ApiError(HTTPStatus.BAD_REQUEST, {"name": f"{who.name} has no password"})
        await dependencies.sign_in.proved(page.request, who.name, form.raw("current"))
        user = await dependencies.users.set_password(who, who.name, form.raw("password"))
    except ApiError as error:
        return await _account(page, refusal(page, error), error.status)
    response = page.redirect(SIGN_IN)
    dependencies.sign_in.remember(page.request, response, user)
    return response


async def end_session(page: PageRequest) -> Response:
    """End one session; if it is this one, sign out."""
    name, session = person(page.principal), page.request.path_params["id"]
    await page.dependencies.own.end_session(name, session)
    return page.redirect(ACCOUNT, saved=True)


async def end_others(page: PageRequest) -> Response:
    """End every session but this one."""
    await page.dependencies.own.end_others(page.request, person(page.principal))
    return page.redirect(ACCOUNT, saved=True)


def refusal(page: PageRequest, error: ApiError) -> Mapping[str, str]:
    """Return the errors of a form that takes the password, by field.

    Raises the error again if no other input would help.
    """
    match error.status:
        case HTTPStatus.UNAUTHORIZED:
            return {"current": page.t("account.wrong")}
        case HTTPStatus.TOO_MANY_REQUESTS:
            return {"current": next(iter(error.errors.values()))}
    return mistakes(error)


async def _account(page: PageRequest, errors: Mapping[str, str], status: int) -> Response:
    who = page.principal
    own: OwnAccount | None = None
    if who.kind == "user":
        own = await page.dependencies.own.read(page.request, who.name)
    return page.render("account.html", status, errors=errors, own=own, provider=page.provider)
