"""`/admin/sites/{slug}/titles`: the titles of pages, and where they are read from."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.responses import Response

from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.requests.forms import whole_number
from services.api.dashboard.requests.page_request import PageRequest
from services.api.sites.titles.fetches import RUNNING
from services.api.sites.titles.schemas import NewTitle, PlanChanges
from services.api.sites.titles.service import ROWS_A_PAGE
from services.api.stats.rows.search import MAX_SEARCH
from services.http.errors import ApiError

_MOST_PAGES = 1000
_REFUSED_LINES = 50
_TOLD = (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS)
"""Statuses whose errors the page shows, besides those that any form does."""


async def titles(page: PageRequest) -> Response:
    """Return the titles of a site, and the progress of reading its portal."""
    return await titles_with(page, {})


async def write(page: PageRequest) -> Response:
    """Write the title of a page, or return the form with its errors."""
    form = page.form
    try:
        new = NewTitle.model_validate({"path": form.get("path"), "title": form.get("title")})
        await page.dependencies.titles.write(page.principal, page.site, [(new.path, new.title)])
    except (ValidationError, ApiError) as error:
        return await titles_with(page, mistakes(error, *_TOLD))
    return _back(page)


async def remove(page: PageRequest) -> Response:
    """Remove the title of a page."""
    try:
        await page.dependencies.titles.remove(page.principal, page.site, page.form.get("path"))
    except ApiError as error:
        return await titles_with(page, mistakes(error, *_TOLD))
    return _back(page)


async def plan(page: PageRequest) -> Response:
    """Change where titles come from."""
    form = page.form
    try:
        new = PlanChanges.model_validate(
            {
                "sitemap": form.get("sitemap"),
                "daily": form.on("daily"),
                "in_top": form.on("in_top"),
            }
        )
        given = new.model_dump(exclude_none=True)
        await page.dependencies.titles.change_plan(page.principal, page.site, **given)
    except (ValidationError, ApiError) as error:
        return await titles_with(page, mistakes(error, *_TOLD))
    return _back(page)


async def fetch(page: PageRequest) -> Response:
    """Start reading the portal."""
    try:
        await page.dependencies.title_fetches.begin(page.principal, page.site)
    except ApiError as error:
        return await titles_with(page, mistakes(error, *_TOLD))
    return page.redirect(f"{page.base}/titles")


async def cancel(page: PageRequest) -> Response:
    """Stop reading the portal."""
    try:
        await page.dependencies.title_fetches.cancel(page.principal, page.site)
    except ApiError as error:
        return await titles_with(page, mistakes(error, *_TOLD))
    return page.redirect(f"{page.base}/titles")


def _back(page: PageRequest) -> Response:
    return page.redirect(f"{page.base}/titles", saved=True)


async def titles_with(
    page: PageRequest, errors: Mapping[str, str], refused: Sequence[tuple[int, str]] = ()
) -> Response:
    """Return the page with the errors of a form, or the refused lines of a file.

    refused  number of each refused line, and why it was refused
    """
    site, t = page.site, page.t
    requested: Any = whole_number(page.parameter("page", "1")) or 1
    number = min(requested, _MOST_PAGES)
    search = page.parameter("search")[:MAX_SEARCH]
    known = page.dependencies.titles
    listing = await known.listed(site, search, number, ROWS_A_PAGE)
    counts = await known.counts(site)
    run = await page.dependencies.title_fetches.run(site)
    zone = site.zone_at(run.started)
    at = run.started if run.state == RUNNING else run.ended or run.started
    numbers = ("sitemaps", "named", "asked", "found")

    def listed(of: int) -> str:
        return f"{page.base}/titles?{urlencode({'search': search, 'page': of})}"

    return page.render(
        "titles.html",
        HTTPStatus.BAD_REQUEST if errors or refused else HTTPStatus.OK,
        site=site,
        errors=errors,
        refused=refused[:_REFUSED_LINES],
        refused_count=len(refused),
        written=whole_number(page.parameter("written")),
        form=page.form,
        search=search,
        rows=listing.rows,
        number=number,
        earlier_rows=listed(number - 1) if number > 1 else "",
        later_rows=listed(number + 1) if listing.has_more else "",
        counts=t("titles.counts", titles=t.number(counts.titles), waiting=t.number(counts.waiting)),
        counts_any=bool(counts.titles),
        run=run,
        is_running=run.state == RUNNING,
        run_is=t(f"titles.run.{run.state}", at=t.moment(at, zone)) if run.state else "",
        run_counts=t(
            "titles.run.counts", **{name: t.number(getattr(run, name)) for name in numbers}
        ),
        plan=await known.plan(site),
        plan_typed=bool(errors) and page.form.on("sitemap"),
        may_edit=page.principal.may_edit(site),
    )
