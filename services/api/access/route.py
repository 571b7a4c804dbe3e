"""Routes under /api/admin: each declares its role, which is checked before the body is read."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.types import Message

from services.api.access.authenticator import authenticate, authenticator
from services.api.access.cookies import CSRF_HEADER, PLAIN, SECURE
from services.api.access.principal import Principal
from services.api.sites.registry import Registry
from services.http.errors import ApiError, unknown_site
from services.http.known_parameters import query_parameters, refuse_unknown
from services.model.account import Role
from services.model.site import Site

MAX_BODY_BYTES = 64 * 1024

_NEEDED = "luot_needed_role"
_PRINCIPAL = "luot.principal"
_SITE = "slug"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Needed(NamedTuple):
    """What is required to use a route.

    role       at least this; on the site, if the path names one
    also       another role that may use it, and hardly anything else
    enrolling  allowed even for those who have to turn on their second factor first
    body       the most bytes of a body
    """

    role: Role
    also: Role | None = None
    enrolling: bool = False
    body: int = MAX_BODY_BYTES


def needs(
    role: Role,
    *,
    also: Role | None = None,
    enrolling: bool = False,
    body: int = MAX_BODY_BYTES,
) -> Callable[[Endpoint], Endpoint]:
    """Declare what is required to use a route, see Needed."""

    def note(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _NEEDED, Needed(role, also, enrolling, body))
        return endpoint

    return note


class LimitedRoute(APIRoute):
    """Refuses huge bodies before all of them is read."""

    max_body = MAX_BODY_BYTES

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, after the checks."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await self.admit(request)
            return await handle(Request(request.scope, _limited(request, self.max_body)))

        return guarded

    async def admit(self, request: Request) -> None:
        """Raise ApiError for who may not use this route."""


class AdminRoute(LimitedRoute):
    """Refuses strangers, and who may not, before anything of the body is read.

    Then parameters of the address that the route does not know, but for `ignored` ones.
    """

    ignored: frozenset[str] = frozenset()

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        needed = getattr(endpoint, _NEEDED, None)
        if needed is None:
            raise TypeError(f"{path}: say with @needs what role it takes to use it")
        self.needed: Needed = needed
        self.max_body = needed.body
        super().__init__(path, endpoint, **more)
        self._known = query_parameters(self.dependant)

    async def admit(self, request: Request) -> None:
        """Raise ApiError for who may not use this route."""
        who = await authenticate(request, enrolling=self.needed.enrolling)
        request.scope[_PRINCIPAL] = admit(request, who, self.needed)
        refuse_unknown(request.query_params, self._known, self.ignored)


def admit(request: Request, who: Principal | None, needed: Needed) -> Principal:
    """Return who asks, if they may; on the site that the address names, where it names one.

    Raises ApiError: 401 for strangers, 404 for sites of others, 403 for a lower role.
    """
    if who is None:
        raise authenticator(request).stranger(request)
    slug = request.path_params.get(_SITE)
    if slug is not None and not who.has(slug):
        raise unknown_site(slug)
    if not who.role.covers(needed.role) and who.role is not needed.also:
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            {"role": f"{who.name} is {who.role}; this takes the role {needed.role}"},
        )
    return who


def _principal(request: Request) -> Principal:
    principal: Principal = request.scope[_PRINCIPAL]
    return principal


def site_of(registry: Callable[[], Registry]) -> Callable[[str], Site]:
    """Return a dependency: the site that the address names. Raises ApiError, see Registry.site."""

    def site(slug: Annotated[str, Path(description="the site's name in addresses")]) -> Site:
        return registry().site(slug)

    return site


Who = Annotated[Principal, Depends(_principal)]
"""Who uses a route of `AdminRoute`."""


def credentials() -> list[Callable[..., Any]]:
    """Return the security schemes, for the OpenAPI description."""
    return [
        HTTPBearer(auto_error=False, description="LUOT_ADMIN_TOKEN, or a token of this server"),
        APIKeyCookie(
            name=PLAIN,
            auto_error=False,
            description=f"a session; over TLS its name is {SECURE}. Changes need {CSRF_HEADER}.",
        ),
    ]


def admin_router(prefix: str = "") -> APIRouter:
    """Return a router of such routes, below /api/admin."""
    return _described(f"/api/admin{prefix}", "admin", AdminRoute)


def stats_router(prefix: str = "", route_class: type[APIRoute] = AdminRoute) -> APIRouter:
    """Return a router of routes of traffic.

    route_class  another one where the site that is asked for decides who may read
    """
    return _described(prefix, "stats", route_class)


def _described(prefix: str, tag: str, route_class: type[APIRoute]) -> APIRouter:
    """Return a router whose description says how to authenticate; that is checked elsewhere."""
    schemes = [Depends(scheme) for scheme in credentials()]
    return APIRouter(prefix=prefix, tags=[tag], route_class=route_class, dependencies=schemes)


def _limited(request: Request, most: int) -> Callable[[], Coroutine[Any, Any, Message]]:
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > most:
            expected = f"expected at most {most} bytes"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, expected)
        return message

    return receive
