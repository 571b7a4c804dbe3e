"""`/api/admin/sign-in`, `sign-out`, `whoami` and `password`: for scripts and for plain forms."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, RedirectResponse

from services.api.access import cookies
from services.api.access.authenticator import authenticate, authenticator
from services.api.access.principal import Kind, Principal
from services.api.access.route import LimitedRoute, Who, admin_router, needs
from services.api.access.sign_in import SignInService
from services.api.access.user_routes import Password
from services.api.access.users import Users
from services.http.errors import ApiError, bad_request
from services.model.account import Role
from services.runtime.json_errors import NOT_JSON

FORM = "application/x-www-form-urlencoded"
HOME = "/admin"

T = TypeVar("T", bound=BaseModel)

_MAX_FIELDS = 20
_NO_STORE = {"Cache-Control": "no-store"}


class SignIn(BaseModel):
    """Name and password."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    password: Password
    code: str = Field(
        "", max_length=100, description="of the second factor, or a recovery code, if there is one"
    )


class OwnPassword(BaseModel):
    """The password of before, and the one to come."""

    model_config = ConfigDict(extra="forbid")

    current: Password
    password: Password


class Whoami(BaseModel):
    """Who asks, and what they may do."""

    name: str
    role: Role
    sites: list[str] = Field(description="slugs, those of groups among them; '*' is every site")
    groups: list[str] = Field(description="slugs of groups of sites, those below them among them")
    kind: Kind
    csrf: str | None = Field(
        None, description=f"what changes of this session carry in {cookies.CSRF_HEADER}"
    )


class _Form(msgspec.Struct):
    name: str = ""
    password: str = ""
    code: str = ""
    next: str = HOME
    csrf: str | None = None


def routers(service: Callable[[], SignInService], known: Callable[[], Users]) -> list[APIRouter]:
    """Return the routes; `service` and `known` (users) are looked up for every request."""
    doors = APIRouter(prefix="/api/admin", tags=["admin"], route_class=LimitedRoute)
    inside = admin_router()

    @doors.post("/sign-in", response_model=Whoami, openapi_extra=_accepts(SignIn))
    async def sign_in(request: Request) -> Response:
        """Begin a session, which the answer's cookie holds.

        A form gets a redirect to its field `next`, a path of this server.
        """
        form = await _form(request)
        if form is None:
            credentials = await _json(request, SignIn)
            signed = await service().sign_in(
                request,
                credentials.name,
                credentials.password.get_secret_value(),
                credentials.code,
            )
            body = whoami_of(signed.principal, signed.csrf)
            response: Response = JSONResponse(body.model_dump(mode="json"), headers=_NO_STORE)
        else:
            signed = await service().sign_in(request, form.name, form.password, form.code)
            response = RedirectResponse(local(form.next), HTTPStatus.SEE_OTHER, _NO_STORE)
        signed.write(request, response)
        return response

    @doors.post("/sign-out", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
    async def sign_out(request: Request) -> Response:
        """End the session; a form, with its field `csrf`, gets a redirect to `next`."""
        form = await _form(request)
        response: Response = Response(status_code=HTTPStatus.NO_CONTENT)
        if form is not None:
            response = RedirectResponse(local(form.next), HTTPStatus.SEE_OTHER, _NO_STORE)
        if authenticator(request).secret(request) is not None:
            # Checks that a page of ours asks; whose session is over already may leave as well.
            await authenticate(request, None if form is None else form.csrf, enrolling=True)
        await service().sign_out(request, response)
        return response

    @inside.get("/whoami")
    @needs(Role.VIEWER, enrolling=True)
    async def whoami(request: Request, response: Response, who: Who) -> Whoami:
        """Who you are, and what you may do."""
        response.headers.update(_NO_STORE)
        secret = authenticator(request).secret(request) if who.kind == "user" else None
        return whoami_of(who, None if secret is None else cookies.csrf(secret))

    @inside.put("/password", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.VIEWER, enrolling=True)
    async def set_own_password(
        request: Request, response: Response, new: OwnPassword, who: Who
    ) -> None:
        """Set your own password; every session of yours ends, this one too."""
        person(who)
        await service().proved(request, who.name, new.current.get_secret_value())
        user = await known().set_password(who, who.name, new.password.get_secret_value())
        service().remember(request, response, user)

    return [doors, inside]


def person(who: Principal) -> str:
    """Return the name of a user who asks. Raises ApiError, 403, for programs."""
    if who.kind != "user":
        message = f"{who.name} is no user, and has no password"
        raise ApiError(HTTPStatus.FORBIDDEN, {"name": message})
    return who.name


def whoami_of(who: Principal, csrf: str | None) -> Whoami:
    """Return somebody as the API shows them."""
    return Whoami(
        name=who.name,
        role=who.role,
        sites=sorted(who.sites),
        groups=sorted(who.groups),
        kind=who.kind,
        csrf=csrf,
    )


async def _form(request: Request) -> _Form | None:
    """Return the fields of a form, None when the body is not one. Raises ApiError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return None
    text = (await request.body()).decode("utf-8", "replace")
    try:
        given = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise bad_request("body", f"expected at most {_MAX_FIELDS} fields") from None
    return msgspec.convert(given, _Form)


def local(path: str) -> str:
    """Return a path of this server; anything else would lead people away after they signed in."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if plain and path.isprintable() and path.isascii() else HOME


async def _json(request: Request, kind: type[T]) -> T:
    """Return the body as a model. Raises RequestValidationError as FastAPI would."""
    try:
        given = msgspec.json.decode(await request.body())
    except NOT_JSON as error:
        raise bad_request("body", f"this is no JSON: {error}") from None
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _accepts(kind: type[BaseModel]) -> dict[str, Any]:
    """Return what OpenAPI says of a body that is JSON or a form."""
    schema = kind.model_json_schema()
    content = {"application/json": {"schema": schema}, FORM: {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
