"""Administration: corrections of a site."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Query, Response
from fastapi.routing import APIRouter

from services.api.access.route import Who, admin_router, needs, site_of
from services.api.sites.corrections.query import QueryFields
from services.api.sites.corrections.schemas import (
    CorrectionFields,
    CorrectionOut,
    CorrectionPage,
    PreviewOut,
    WhyFields,
    correction_out,
    preview_out,
)
from services.api.sites.corrections.service import Corrections, NewCorrection
from services.api.sites.registry import Registry
from services.model.account import Role
from services.model.site import Site


def router(registry: Callable[[], Registry], corrections: Callable[[], Corrections]) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router("/sites/{slug}/corrections")
    known = site_of(registry)

    @routes.get("")
    @needs(Role.VIEWER)
    async def list_corrections(
        site: Annotated[Site, Depends(known)],
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> CorrectionPage:
        """What was taken back of a site, and what was given back, the newest first."""
        rows = await corrections().ledger(site)
        shown = rows[::-1][offset : offset + limit]
        return CorrectionPage(
            corrections=[correction_out(row, rows) for row in shown], total=len(rows)
        )

    @routes.post("/preview")
    @needs(Role.EDITOR)
    async def preview_correction(
        site: Annotated[Site, Depends(known)], query: QueryFields
    ) -> PreviewOut:
        """What a correction would take away, by day and page, and the numbers after it."""
        return preview_out(site, await corrections().preview(site, query))

    @routes.post("", status_code=HTTPStatus.CREATED)
    @needs(Role.EDITOR)
    async def make_correction(
        site: Annotated[Site, Depends(known)], new: CorrectionFields, response: Response, who: Who
    ) -> CorrectionOut:
        """Take back what a query finds; every public number shows it within two seconds.

        The same correction made twice changes nothing (200). Another one under its id, or one that
        takes away another number of views than was looked at, is refused with 409.
        """
        made, is_new = await corrections().make(
            who,
            site,
            NewCorrection(
                new.id,
                new.query,
                new.reason,
                None if new.up_to is None else int(new.up_to),
                new.views,
            ),
        )
        if not is_new:
            response.status_code = HTTPStatus.OK
        return correction_out(made, await corrections().ledger(site))

    @routes.post("/{id}/reverse", status_code=HTTPStatus.CREATED)
    @needs(Role.EDITOR)
    async def reverse_correction(
        site: Annotated[Site, Depends(known)],
        id: Annotated[str, Path(description="the id of a correction")],  # noqa: A002
        why: WhyFields,
        response: Response,
        who: Who,
    ) -> CorrectionOut:
        """Give back what a correction took; twice is once (200)."""
        made, is_new = await corrections().reverse(who, site, id, why.reason)
        if not is_new:
            response.status_code = HTTPStatus.OK
        return correction_out(made, await corrections().ledger(site))

    return routes
