"""`/api/admin/users`: the people who may sign in."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool

from services.api.access import fields
from services.api.access.route import Who, admin_router, needs
from services.api.access.second_factors import SecondFactors
from services.api.access.users import Users, public_fields
from services.model.account import NAME_PATTERN, Role, User

Name = Annotated[
    str, Field(pattern=NAME_PATTERN, max_length=100, description="to sign in with; lower case")
]
Password = Annotated[SecretStr, Field(max_length=1000, description="10 to 200 characters")]
NamePath = Annotated[str, Path(description="the name of a user")]


UserRole = Literal[Role.OWNER, Role.EDITOR, Role.VIEWER]


class UserFields(BaseModel):
    """What an owner may change on a user."""

    model_config = ConfigDict(extra="forbid")

    role: UserRole = Role.VIEWER
    sites: fields.SiteNames = []
    second_factor_required: StrictBool = Field(
        False, description="without a second factor they may do nothing but turn it on"
    )


class NewUser(UserFields):
    """A user who is to be added."""

    name: Name
    password: Password


class NewPassword(BaseModel):
    """Another password."""

    model_config = ConfigDict(extra="forbid")

    password: Password


class UserOut(BaseModel):
    """A user."""

    name: str
    role: Role
    sites: list[str]
    created_at: int = Field(description="milliseconds since 1970, UTC")
    password_at: int = Field(description="when the password was set, milliseconds since 1970, UTC")
    second_factor: bool = Field(description="they give a code when they sign in")
    second_factor_required: bool
    sign_in: str = Field(description="by what they sign in: password, oidc or header")


class UserList(BaseModel):
    """Every user."""

    users: list[UserOut]


def router(users: Callable[[], Users], factors: Callable[[], SecondFactors]) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router("/users")

    @routes.get("")
    @needs(Role.OWNER)
    async def list_users() -> UserList:
        """Every user, by name."""
        return UserList(users=[out(user) for user in await users().all()])

    @routes.post("", status_code=HTTPStatus.CREATED)
    @needs(Role.OWNER)
    async def add_user(new: NewUser, who: Who) -> UserOut:
        """Add a user; 409 when the name is taken."""
        password = new.password.get_secret_value()
        return out(
            await users().add(
                who, new.name, password, new.role, new.sites, new.second_factor_required
            )
        )

    @routes.patch("/{name}")
    @needs(Role.OWNER)
    async def edit_user(name: NamePath, changes: UserFields, who: Who) -> UserOut:
        """Change role, sites or what is asked of them, at once; 409 for the last owner."""
        given = changes.model_fields_set
        role = changes.role if "role" in given else None
        sites = changes.sites if "sites" in given else None
        is_given = "second_factor_required" in given
        required = changes.second_factor_required if is_given else None
        return out(await users().edit(who, name, role, sites, required))

    @routes.put("/{name}/password", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.OWNER)
    async def set_password(name: NamePath, new: NewPassword, who: Who) -> None:
        """Set a password; every session of the user ends at once."""
        await users().set_password(who, name, new.password.get_secret_value())

    @routes.delete("/{name}/second-factor", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.OWNER)
    async def reset_second_factor(name: NamePath, who: Who) -> None:
        """Take away the second factor of a user who has lost it; their sessions end at once."""
        await factors().reset(who, name)

    @routes.delete("/{name}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.OWNER)
    async def remove_user(name: NamePath, who: Who) -> None:
        """Remove a user; their sessions end at once. 409 for the last owner."""
        await users().remove(who, name)

    return routes


def out(user: User) -> UserOut:
    """Return a user as the API shows them."""
    return UserOut(
        **public_fields(user),
        created_at=user.created_at,
        password_at=user.password_at,
        second_factor=bool(user.second_factor),
        sign_in=user.sign_in,
    )
