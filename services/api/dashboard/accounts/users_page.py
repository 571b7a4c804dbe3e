"""`/admin/users`: who may sign in, for owners."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from starlette.responses import Response

from services.api.access.user_routes import NewUser, UserFields
from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.http.errors import ApiError, shown
from services.model.account import ALL_SITES, USER_ROLES, Role, User

USERS = f"{HOME}/users"


async def users(page: PageRequest) -> Response:
    """Return every user, and the form for a new one."""
    return await _users(page, {})


async def add(page: PageRequest) -> Response:
    """Add a user."""
    form = page.form
    try:
        new = NewUser.model_validate(
            {
                "name": form.get("name").lower(),
                "password": form.raw("password"),
                "role": form.get("role"),
                "sites": form.all("sites"),
                "second_factor_required": form.on("second_factor_required"),
            }
        )
        await page.dependencies.users.add(
            page.principal,
            new.name,
            new.password.get_secret_value(),
            new.role,
            new.sites,
            new.second_factor_required,
        )
    except (ValidationError, ApiError) as error:
        return await _users(page, mistakes(error))
    return page.redirect(USERS, saved=True)


async def user(page: PageRequest) -> Response:
    """Return one user."""
    return await _user(page, {})


async def edit(page: PageRequest) -> Response:
    """Change the role and the sites of a user."""
    form = page.form
    try:
        required = form.on("second_factor_required")
        changes = UserFields.model_validate(
            {
                "role": form.get("role"),
                "sites": form.all("sites"),
                "second_factor_required": required,
            }
        )
        await page.dependencies.users.edit(
            page.principal, _name(page), changes.role, changes.sites, required
        )
    except (ValidationError, ApiError) as error:
        return await _user(page, mistakes(error), typed=True)
    return page.redirect(USERS, saved=True)


async def set_password(page: PageRequest) -> Response:
    """Set the password of a user."""
    try:
        await page.dependencies.users.set_password(
            page.principal, _name(page), page.form.raw("password")
        )
    except ApiError as error:
        return await _user(page, mistakes(error))
    return page.redirect(USERS, saved=True)


async def remove(page: PageRequest) -> Response:
    """Remove a user."""
    try:
        await page.dependencies.users.remove(page.principal, _name(page))
    except ApiError as error:
        return await _user(page, mistakes(error))
    return page.redirect(USERS, saved=True)


async def reset_second_factor(page: PageRequest) -> Response:
    """Remove the second factor of a user who has lost it."""
    try:
        await page.dependencies.factors.reset(page.principal, _name(page))
    except ApiError as error:
        return await _user(page, mistakes(error))
    return page.redirect(USERS, saved=True)


def _name(page: PageRequest) -> str:
    name: str = page.request.path_params["name"]
    return name


async def _users(page: PageRequest, errors: Mapping[str, str]) -> Response:
    return page.render(
        "users.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        users=await page.dependencies.users.all(),
        form=page.form,
        errors=errors,
        roles=USER_ROLES,
        sites=page.dependencies.registry.all(),
        groups=page.dependencies.users.groups(),
        chosen=page.form.all("sites"),
        role=page.form.get("role", Role.VIEWER),
        all_sites=ALL_SITES,
    )


async def _user(page: PageRequest, errors: Mapping[str, str], *, typed: bool = False) -> Response:
    """Return the page of a user, with the saved rights or those that were `typed`."""
    name, form = _name(page), page.form
    user: User | None = next(
        (known for known in await page.dependencies.users.all() if known.name == name), None
    )
    if user is None:
        raise ApiError(HTTPStatus.NOT_FOUND, {"name": f"{shown(name)} is no user"})
    return page.render(
        "user.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        user=user,
        errors=errors,
        roles=USER_ROLES,
        sites=page.dependencies.registry.all(),
        groups=page.dependencies.users.groups(),
        chosen=form.all("sites") if typed else user.sites,
        role=form.get("role") if typed else user.role,
        second_factor_required=form.on("second_factor_required")
        if typed
        else user.second_factor_required,
        provider=page.provider,
        all_sites=ALL_SITES,
    )
