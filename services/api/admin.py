"""Administration: the sites of this server, behind a bearer token."""

import time
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError
from starlette.types import Message

from services.api.access.who import gate, principal
from services.api.display import DisplayFields, merged
from services.api.errors import ApiError, bad_request, shown, unavailable, unknown_site
from services.api.registry import Registry
from services.model.display import Display
from services.model.site import DEFAULT_TIMEZONE, SLUG_PATTERN, Metric, Site
from services.store.interface import StoreError

MAX_BODY_BYTES = 64 * 1024

Slug = Annotated[str, Field(pattern=SLUG_PATTERN, max_length=64)]


class SiteFields(BaseModel):
    """What an admin may set on a site."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        "", max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", description="shown to people"
    )
    timezone: str = Field(DEFAULT_TIMEZONE, max_length=64, description="IANA name; days turn there")
    hosts: list[str] = Field(
        [], max_length=100, description="mytho.example, *.mytho.example for all below it, * for any"
    )
    metric: Metric = Field(Metric.VISITS, description="what the counter shows")
    significant: list[str] = Field(
        [], max_length=20, description="query parameters that name a page: tabid, nv"
    )
    honour_dnt: bool = Field(True, description="no visitor hash for browsers that ask for none")
    public_top: bool = Field(False, description="anybody may read the most read pages")
    public_dashboard: bool = Field(
        False, description="anybody may read the traffic behind the numbers"
    )
    display: DisplayFields | None = Field(
        None, description="how its block looks; in a change, null takes back what was set"
    )


class NewSite(SiteFields):
    """A site that is to be created."""

    slug: Slug


class SiteOut(NewSite):
    """A site."""

    created_at: int = Field(description="milliseconds since 1970, UTC")


class SiteList(BaseModel):
    """Every site."""

    sites: list[SiteOut]


class AdminRoute(APIRoute):
    """Refuses strangers and huge bodies before anything of the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, behind the refusals."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            if await principal(request) is None:
                raise gate(request).stranger(request)
            return await handle(Request(request.scope, _limited(request)))

        return guarded


def _limited(request: Request) -> Callable[[], Coroutine[Any, Any, Message]]:
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            expected = f"expected at most {MAX_BODY_BYTES} bytes"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, expected)
        return message

    return receive


def router(registry: Callable[[], Registry], clock: Callable[[], float] = time.time) -> APIRouter:
    """Return the routes under /api/admin; `registry` is asked for with every request."""
    routes = APIRouter(
        prefix="/api/admin",
        tags=["admin"],
        route_class=AdminRoute,
        # Only for the OpenAPI description; AdminRoute has checked the token by then.
        dependencies=[Depends(HTTPBearer(auto_error=False, description="LUOT_ADMIN_TOKEN"))],
    )

    def known(slug: Annotated[str, Path(description="the site's name in addresses")]) -> Site:
        site = loaded().get(slug)
        if site is None:
            raise unknown_site(slug)
        return site

    def loaded() -> Registry:
        sites = registry()
        if not sites.loaded:
            raise unavailable("the sites are not loaded yet")
        return sites

    @routes.get("/sites", response_model_exclude_none=True)
    async def list_sites() -> SiteList:
        """Every site, by slug."""
        return SiteList(sites=[_out(site) for site in loaded().all()])

    @routes.post("/sites", status_code=HTTPStatus.CREATED, response_model_exclude_none=True)
    async def create_site(new: NewSite) -> SiteOut:
        """Create a site; 409 when its slug is taken."""
        fields = {**new.model_dump(), "display": merged(Display(), new.display)}
        site = _site({**fields, "created_at": int(clock() * 1000)})
        sites = loaded()
        if sites.get(site.slug) is not None:
            raise ApiError(HTTPStatus.CONFLICT, {"slug": f"{shown(site.slug)} exists already"})
        await _saved(sites.save(site))
        return _out(site)

    @routes.get("/sites/{slug}", response_model_exclude_none=True)
    async def read_site(site: Annotated[Site, Depends(known)]) -> SiteOut:
        """One site."""
        return _out(site)

    @routes.patch("/sites/{slug}", response_model_exclude_none=True)
    async def edit_site(site: Annotated[Site, Depends(known)], changes: SiteFields) -> SiteOut:
        """Change the fields that are given, and no other."""
        given = changes.model_dump(exclude_unset=True)
        if "display" in given:
            given["display"] = merged(site.display, changes.display)
        edited = _site({**msgspec.to_builtins(site), **given})
        await _saved(loaded().save(edited))
        return _out(edited)

    @routes.delete("/sites/{slug}", status_code=HTTPStatus.NO_CONTENT)
    async def remove_site(site: Annotated[Site, Depends(known)]) -> None:
        """Remove a site: it is no longer counted or shown. Its counts stay in the store."""
        await _saved(loaded().remove(site.slug))

    @routes.delete("/sites/{slug}/shown", status_code=HTTPStatus.NO_CONTENT)
    async def forget_shown(site: Annotated[Site, Depends(known)]) -> None:
        """Forget the numbers that were shown, so that lower ones of the store are shown.

        Public numbers never go down by themselves: after an older state of the store was put back
        on purpose, the higher numbers of before stay until they are forgotten here.
        """
        try:
            await loaded().forget_shown(site.slug)
        except (RedisError, OSError) as error:
            raise unavailable(f"Redis did not take the change: {error}") from error

    return routes


async def _saved(change: Coroutine[Any, Any, None]) -> None:
    try:
        await change
    except StoreError as error:
        raise unavailable(f"the store did not take the change: {error}") from error


def _site(fields: dict[str, Any]) -> Site:
    try:
        return msgspec.convert(fields, Site)
    except msgspec.ValidationError as error:
        text = str(error)
        raise bad_request(_field(text), text.partition(" - at `$")[0]) from None


def _field(text: str) -> str:
    name, colon, _ = text.partition(":")
    if colon and name in Site.__struct_fields__:
        return name
    if colon and name in Display.__struct_fields__:
        return f"display.{name}"
    if "time zone" in text:
        return "timezone"
    _, dollar, path = text.partition("$.")
    return path.split("[", 1)[0].rstrip("`") if dollar else "body"


def _out(site: Site) -> SiteOut:
    return SiteOut.model_validate(msgspec.to_builtins(site))
