"""The routes of imports: pages of old access logs, sent in chunks by `luot import`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.api.access.audit import Audit
from services.api.access.route import Who, admin_router, needs, site_of
from services.api.imports.schemas import (
    MAX_LINES,
    Begun,
    Chunk,
    Digest,
    Finished,
    ImportList,
    ImportOut,
    NewImport,
    UndoPreviewOut,
    import_out,
    undo_preview_out,
)
from services.api.imports.service import Imports
from services.api.imports.undo import Undoing
from services.api.sites.registry import Registry
from services.http.errors import bad_request, unavailable
from services.log.errors import LogError
from services.model.account import Role
from services.model.site import Site
from services.store.interface import StoreError


def router(
    registry: Callable[[], Registry],
    imports: Callable[[], Imports],
    undoing: Callable[[], Undoing],
    audit: Callable[[], Audit],
) -> APIRouter:
    """Return the routes; the arguments are called for every request."""
    routes = admin_router("/sites/{slug}/imports")

    known = site_of(registry)

    @routes.get("")
    @needs(Role.VIEWER)
    async def list_imports(site: Annotated[Site, Depends(known)]) -> ImportList:
        """The access logs that were imported into a site, the oldest first."""
        async with _clear_errors():
            return ImportList(imports=[import_out(one) for one in await imports().all(site)])

    @routes.put("/{digest}")
    @needs(Role.EDITOR)
    async def begin_import(
        site: Annotated[Site, Depends(known)], digest: Digest, new: NewImport, who: Who
    ) -> Begun:
        """Begin an import, or find out where it goes on.

        409 when it was begun with other options, when another file of the same time was imported,
        or when the log was lost half-way, so that nobody can know what was counted.
        """
        if new.dry_run:
            async with _clear_errors():
                return await imports().begin(site, digest, new, who.name)
        fields = {"file": new.file, "lines": new.lines, "digest": digest}
        async with (
            _clear_errors(),
            imports().beginning,
            audit().recorded(who, "import.begin", new.file, site=site.slug, after=fields),
        ):
            return await imports().begin(site, digest, new, who.name)

    @routes.post(
        "/{digest}/chunks",
        openapi_extra={
            "requestBody": {
                "required": True,
                "description": "a batch of the log, 1 to 500 hits with their visits decided",
                "content": {
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
                },
            }
        },
    )
    @needs(Role.EDITOR)
    async def append_chunk(
        request: Request,
        site: Annotated[Site, Depends(known)],
        digest: Digest,
        after: Annotated[int, Query(ge=0, le=MAX_LINES, description="line of the one before")],
        upto: Annotated[int, Query(ge=1, le=MAX_LINES, description="its own last line")],
    ) -> Chunk:
        """Append the page views of lines `after` + 1 to `upto`; sent twice, they count once.

        429 while the aggregator is behind or Redis is full: try again after `Retry-After`.
        """
        if upto <= after:
            raise bad_request("upto", f"{upto}; expected a line after {after}")
        payload = await request.body()
        async with _clear_errors():
            return await imports().append(site, digest, after, upto, payload)

    @routes.post("/{digest}/done")
    @needs(Role.EDITOR)
    async def finish_import(site: Annotated[Site, Depends(known)], digest: Digest) -> Finished:
        """Say that there are no more chunks. It is done when all of it is counted."""
        async with _clear_errors():
            return await imports().finish(site, digest)

    @routes.get("/{digest}/undo")
    @needs(Role.EDITOR)
    async def preview_undo(site: Annotated[Site, Depends(known)], digest: Digest) -> UndoPreviewOut:
        """What undoing an import would take away, by day and page, and the numbers after it.

        409 when it cannot be undone, with the reason.
        """
        async with _clear_errors():
            return undo_preview_out(await undoing().preview(site, digest))

    @routes.post("/{digest}/undo")
    @needs(Role.EDITOR)
    async def undo_import(
        site: Annotated[Site, Depends(known)], digest: Digest, who: Who
    ) -> ImportOut:
        """Take back an import as a whole; the same file may be imported again afterwards.

        Ask again while its state is `undoing`: hits of it that are still in the log have to be
        counted first. Asking twice does no harm.
        """
        async with _clear_errors():
            return import_out(await undoing().undo(who, site, digest))

    return routes


@asynccontextmanager
async def _clear_errors() -> AsyncIterator[None]:
    try:
        yield
    except StoreError as error:
        raise unavailable(f"the store cannot be reached: {error}") from error
    except LogError as error:
        raise unavailable(f"the log cannot be reached: {error}") from error
