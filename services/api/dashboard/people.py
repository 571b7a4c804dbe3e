"""`/admin/users` and `/admin/account`: who may sign in, for owners, and one's own password."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from starlette.responses import Response

from services.api.access.user_routes import NewUser, UserFields
from services.api.dashboard.routing import SIGN_IN
from services.api.dashboard.site_form import mistakes
from services.api.dashboard.visit import HOME, Visit
from services.http.errors import ApiError, shown
from services.model.account import ALL_SITES, Role, User

USERS = f"{HOME}/users"
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)


async def users(visit: Visit) -> Response:
    """Return every user, and the form for another."""
    return await _users(visit, {})


async def add(visit: Visit) -> Response:
    """Add a user."""
    form = visit.form
    try:
        new = NewUser.model_validate(
            {
                "name": form.get("name").lower(),
                "password": form.raw("password"),
                "role": form.get("role"),
                "sites": form.all("sites"),
            }
        )
        password = new.password.get_secret_value()
        await visit.parts.users.add(visit.who, new.name, password, new.role, new.sites)
    except (ValidationError, ApiError) as error:
        return await _users(visit, mistakes(error))
    return visit.go(USERS, saved=True)


async def user(visit: Visit) -> Response:
    """Return one user."""
    return await _user(visit, {})


async def edit(visit: Visit) -> Response:
    """Change the role and the sites of a user."""
    form = visit.form
    try:
        changes = UserFields.model_validate({"role": form.get("role"), "sites": form.all("sites")})
        await visit.parts.users.edit(visit.who, _name(visit), changes.role, changes.sites)
    except (ValidationError, ApiError) as error:
        return await _user(visit, mistakes(error))
    return visit.go(USERS, saved=True)


async def set_password(visit: Visit) -> Response:
    """Set the password of a user."""
    try:
        await visit.parts.users.set_password(visit.who, _name(visit), visit.form.raw("password"))
    except ApiError as error:
        return await _user(visit, mistakes(error))
    return visit.go(USERS, saved=True)


async def remove(visit: Visit) -> Response:
    """Remove a user."""
    try:
        await visit.parts.users.remove(visit.who, _name(visit))
    except ApiError as error:
        return await _user(visit, mistakes(error))
    return visit.go(USERS, saved=True)


async def account(visit: Visit) -> Response:
    """Return who asks, and the form for another password."""
    return _account(visit, {}, HTTPStatus.OK)


async def own_password(visit: Visit) -> Response:
    """Set one's own password; every session ends, this one too."""
    who, form, parts = visit.who, visit.form, visit.parts
    try:
        if who.kind != "user":
            raise ApiError(HTTPStatus.BAD_REQUEST, {"name": f"{who.name} has no password"})
        await parts.signing.proved(visit.request, who.name, form.raw("current"))
        await parts.users.set_password(who, who.name, form.raw("password"))
    except ApiError as error:
        if error.status in _REFUSED:
            return _account(visit, {"current": visit.t("account.wrong")}, error.status)
        return _account(visit, mistakes(error), error.status)
    return visit.go(SIGN_IN)


def _name(visit: Visit) -> str:
    name: str = visit.request.path_params["name"]
    return name


async def _users(visit: Visit, errors: Mapping[str, str]) -> Response:
    return visit.page(
        "users.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        users=await visit.parts.users.all(),
        form=visit.form,
        errors=errors,
        roles=list(Role),
        sites=visit.parts.registry.all(),
        chosen=visit.form.all("sites"),
        role=visit.form.get("role", Role.VIEWER),
        all_sites=ALL_SITES,
    )


async def _user(visit: Visit, errors: Mapping[str, str]) -> Response:
    name = _name(visit)
    found: User | None = next(
        (known for known in await visit.parts.users.all() if known.name == name), None
    )
    if found is None:
        raise ApiError(HTTPStatus.NOT_FOUND, {"name": f"{shown(name)} is no user"})
    return visit.page(
        "user.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        user=found,
        errors=errors,
        roles=list(Role),
        sites=visit.parts.registry.all(),
        chosen=found.sites,
        role=found.role,
        all_sites=ALL_SITES,
    )


def _account(visit: Visit, errors: Mapping[str, str], status: int) -> Response:
    return visit.page("account.html", status, errors=errors)
