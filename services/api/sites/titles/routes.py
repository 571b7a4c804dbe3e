"""`/api/admin/sites/{slug}/titles`: the titles of a site's pages."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.api.access.route import Who, admin_router, needs, site_of
from services.api.sites.registry import Registry
from services.api.sites.titles.fetches import TitleFetches
from services.api.sites.titles.schemas import (
    MOST_AT_ONCE,
    FetchAsked,
    NewTitle,
    NewTitles,
    PageName,
    PlanChanges,
    PlanOut,
    RunOut,
    TitleOut,
    TitlePage,
    TitlesWritten,
    plan_out,
    run_out,
)
from services.api.sites.titles.service import ROWS_A_PAGE, Titles
from services.api.stats.rows.search import MAX_SEARCH
from services.model.account import Role
from services.model.site import Site

_BODY_BYTES = 1 << 20


def router(
    registry: Callable[[], Registry],
    of: Callable[[], Titles],
    fetches: Callable[[], TitleFetches],
) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router("/sites/{slug}/titles")
    known = Depends(site_of(registry))

    @routes.get("")
    @needs(Role.VIEWER)
    async def list_titles(
        site: Annotated[Site, known],
        search: Annotated[
            str, Query(max_length=MAX_SEARCH, description="words in title or path, in their order")
        ] = "",
        page: Annotated[int, Query(ge=1, le=1000)] = 1,
        limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = ROWS_A_PAGE,
    ) -> TitlePage:
        """The titles of pages, by path; with `search`, without regard to diacritics."""
        listing = await of().listed(site, search, page, limit)
        counts = await of().counts(site)
        rows = [
            TitleOut(path=one.path, title=one.title, by_hand=bool(one.by_hand), read_at=one.read_at)
            for one in listing.rows
        ]
        return TitlePage(
            titles=rows, has_more=listing.has_more, pages=counts.pages, waiting=counts.waiting
        )

    @routes.put("")
    @needs(Role.EDITOR)
    async def set_title(site: Annotated[Site, known], new: NewTitle, who: Who) -> TitlesWritten:
        """Write the title of a page; reading the portal does not change it any more."""
        return TitlesWritten(written=await of().write(who, site, [(new.path, new.title)]))

    @routes.post("/import")
    @needs(Role.EDITOR, body=_BODY_BYTES)
    async def import_titles(
        site: Annotated[Site, known], new: NewTitles, who: Who
    ) -> TitlesWritten:
        """Write titles of many pages, all of them or none."""
        given = [(one.path, one.title) for one in new.titles]
        return TitlesWritten(written=await of().write(who, site, given))

    @routes.delete("", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.EDITOR)
    async def remove_title(
        site: Annotated[Site, known], path: Annotated[PageName, Query()], who: Who
    ) -> None:
        """Take the title of a page away; reading the portal does not bring it back."""
        await of().remove(who, site, path)

    @routes.get("/plan")
    @needs(Role.VIEWER)
    async def title_plan(site: Annotated[Site, known]) -> PlanOut:
        """Where titles come from, and where they are shown."""
        return plan_out(await of().plan(site))

    @routes.patch("/plan")
    @needs(Role.EDITOR)
    async def change_title_plan(
        site: Annotated[Site, known], changes: PlanChanges, who: Who
    ) -> PlanOut:
        """Change what is given of it."""
        given = changes.model_dump(exclude_none=True)
        return plan_out(await of().change_plan(who, site, **given))

    @routes.get("/fetch")
    @needs(Role.VIEWER)
    async def title_fetch(site: Annotated[Site, known]) -> RunOut:
        """How far the last reading of the portal is, or how it ended."""
        return run_out(await fetches().run(site))

    @routes.post("/fetch", status_code=HTTPStatus.ACCEPTED)
    @needs(Role.EDITOR)
    async def fetch_titles(site: Annotated[Site, known], asked: FetchAsked, who: Who) -> RunOut:
        """Begin to read the portal: its sitemaps, and the titles of the pages that are read most.

        It goes on in the background.
        """
        return run_out(await fetches().begin(who, site, asked.pages))

    @routes.delete("/fetch")
    @needs(Role.EDITOR)
    async def cancel_fetch(site: Annotated[Site, known], who: Who) -> RunOut:
        """End a reading; what was read is kept."""
        return run_out(await fetches().cancel(who, site))

    return routes
