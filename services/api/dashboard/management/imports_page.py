"""`/admin/sites/{slug}/imports`: the access logs that were imported, and undoing imports."""

from http import HTTPStatus
from typing import NamedTuple

from starlette.responses import Response

from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.dashboard.texts.changed_numbers import changed_numbers
from services.http.errors import ApiError, unavailable
from services.log.errors import LogError
from services.model.calendar import to_date
from services.model.site import Site
from services.store.interface import StoreError
from services.store.records import imports as register
from services.store.records.imports import Import, ImportState


class ImportRow(NamedTuple):
    """An import in the list; `state` is one of the texts `imports.state.*`."""

    digest: str
    file: str
    host: str
    days: str
    lines: str
    views: str
    begun: str
    author: str
    state: str
    undone: str
    may_undo: bool


async def imports(page: PageRequest) -> Response:
    """Return every import of a site, newest first."""
    return await _page(page, {})


async def preview(page: PageRequest) -> Response:
    """Return what undoing an import would take away."""
    site, t = page.site, page.t
    try:
        plan = await page.dependencies.undoing.preview(site, _digest(page))
    except ApiError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        return await _page(page, error.errors)
    except StoreError as error:
        raise unavailable(f"the store cannot be read: {error}") from error
    numbers = changed_numbers(site, plan.public, t)
    return page.render(
        "undo_import.html",
        site=site,
        row=_row(page, site, plan.known),
        views=t.number(plan.views),
        visits=t.number(plan.visits),
        measures=numbers.measures,
        numbers=numbers.rows,
        pages=[(path, t.number(views)) for path, views in plan.pages],
    )


async def undo(page: PageRequest) -> Response:
    """Undo an import, as far as is possible now."""
    try:
        await page.dependencies.undoing.undo(page.principal, page.site, _digest(page))
    except ApiError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        return await _page(page, error.errors)
    except StoreError as error:
        raise unavailable(f"the store cannot be reached: {error}") from error
    except LogError as error:
        raise unavailable(f"the log cannot be reached: {error}") from error
    return page.redirect(f"{HOME}/sites/{page.site.slug}/imports", saved=True)


def _digest(page: PageRequest) -> str:
    return str(page.request.path_params["digest"])


async def _page(page: PageRequest, errors: dict[str, str]) -> Response:
    site = page.site
    try:
        known = await register.of_site(page.dependencies.store, site.kept_as)
    except StoreError as error:
        raise unavailable(f"the store cannot be read: {error}") from error
    return page.render(
        "imports.html",
        HTTPStatus.CONFLICT if errors else HTTPStatus.OK,
        site=site,
        errors=errors,
        rows=[_row(page, site, one) for one in reversed(known)],
    )


def _row(page: PageRequest, site: Site, one: Import) -> ImportRow:
    t = page.t
    first, last = (t.date_of(to_date(site.day_of(at))) for at in (one.first_at, one.last_at))
    is_undone = one.state in (ImportState.UNDOING, ImportState.UNDONE)
    return ImportRow(
        one.digest,
        one.file,
        one.host,
        first if first == last else f"{first} – {last}",
        t.number(one.lines),
        t.number(one.hits),
        t.moment(one.begun_at, site.zone_at(one.begun_at)),
        t.actor(one.author),
        one.state.name.lower(),
        f"{t.actor(one.undone_by)}, {t.moment(one.undone_at, site.zone_at(one.undone_at))}"
        if is_undone
        else "",
        one.can_be_undone and page.principal.may_edit(site),
    )
