"""`/admin/second-factor`: turning one's own second factor on and off, and renewing its codes."""

from collections.abc import Mapping
from http import HTTPStatus

import segno
from markupsafe import Markup
from starlette.responses import Response

from services.api.access import codes
from services.api.access.session_routes import person
from services.api.dashboard.accounts.account_page import refusal
from services.api.dashboard.requests.page_request import PageRequest
from services.api.dashboard.requests.routing import SECOND_FACTOR
from services.http.errors import ApiError
from services.model.account import User

_GROUP = 4


async def show(page: PageRequest) -> Response:
    """Return a new secret with the form that turns it on, or the actions once it is on."""
    return _shown(page, {}, HTTPStatus.OK)


async def turn_on(page: PageRequest) -> Response:
    """Turn it on; only this page shows the recovery codes."""
    form, dependencies = page.form, page.dependencies
    name = person(page.principal)
    try:
        await dependencies.sign_in.proved(page.request, name, form.raw("current"))
        recovery = await dependencies.factors.turn_on(
            page.principal, form.get("secret"), form.get("code")
        )
    except ApiError as error:
        return _shown(page, refusal(page, error), error.status)
    await dependencies.own.end_others(page.request, name)
    return page.render("recovery_codes.html", recovery=recovery, is_new=True)


async def turn_off(page: PageRequest) -> Response:
    """Turn it off."""
    form, dependencies = page.form, page.dependencies
    try:
        await dependencies.sign_in.proved(page.request, person(page.principal), form.raw("current"))
        await dependencies.factors.turn_off(page.principal)
    except ApiError as error:
        return _shown(page, refusal(page, error), error.status)
    return page.redirect(SECOND_FACTOR, saved=True)


async def renew(page: PageRequest) -> Response:
    """Make new recovery codes; only this page shows them."""
    form, dependencies = page.form, page.dependencies
    try:
        await dependencies.sign_in.proved(page.request, person(page.principal), form.raw("current"))
        recovery = await dependencies.factors.renew_recovery_codes(page.principal)
    except ApiError as error:
        return _shown(page, refusal(page, error), error.status)
    return page.render("recovery_codes.html", recovery=recovery, is_new=False)


def _shown(page: PageRequest, errors: Mapping[str, str], status: int) -> Response:
    user = page.dependencies.own.user(person(page.principal))
    if user.second_factor:
        return page.render("second_factor.html", status, errors=errors, user=user)
    return _form(page, user, errors, status)


def _form(page: PageRequest, user: User, errors: Mapping[str, str], status: int) -> Response:
    # After a mistake, keep the secret: the app has it by then.
    given = page.form.get("secret")
    secret = given if codes.is_secret(given) else codes.new_secret()
    address = codes.address(secret, user.name, page.host)
    drawn = segno.make(address, micro=False, error="m").svg_inline(
        title=page.t("second.qr"), light="#fff", omitsize=True, svgclass="qr"
    )
    return page.render(
        "second_factor_new.html",
        status,
        errors=errors,
        user=user,
        secret=secret,
        groups=[secret[at : at + _GROUP] for at in range(0, len(secret), _GROUP)],
        address=address,
        code=Markup(drawn),  # noqa: S704  # segno escapes the title
    )
