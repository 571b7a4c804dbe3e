"""`/admin/sites/{slug}/sharing`: links that show a site without signing in, and frames."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from starlette.responses import Response

from services.api.dashboard.page_request import PageRequest
from services.api.dashboard.shown_pages import PUBLIC
from services.api.dashboard.site_form import mistakes
from services.api.sites.desk.share_routes import SHARE, ShareFields
from services.api.sites.service import SiteFields
from services.http.errors import ApiError

_FRAME = (
    '<iframe src="{url}" title="{title}" width="100%" height="1600" loading="lazy"'
    ' referrerpolicy="no-referrer"></iframe>'
)


async def sharing(page: PageRequest) -> Response:
    """Return the links of a site, and who may show it in a frame."""
    return await _sharing(page, {})


async def make(page: PageRequest) -> Response:
    """Make a link; its address is shown this once."""
    try:
        new = ShareFields.model_validate({"name": page.form.get("name")})
        made = await page.dependencies.shares.make(page.principal, page.site, new.name)
    except (ValidationError, ApiError) as error:
        return await _sharing(page, mistakes(error, HTTPStatus.CONFLICT, HTTPStatus.FORBIDDEN))
    return await _sharing(page, {}, f"{_origin(page)}{SHARE}/{made.secret}")


async def withdraw(page: PageRequest) -> Response:
    """Withdraw a link."""
    id_: str = page.request.path_params["id"]
    await page.dependencies.shares.withdraw(page.principal, page.site, id_)
    return page.redirect(f"{page.base}/sharing", saved=True)


async def frames(page: PageRequest) -> Response:
    """Say which hosts may show the site in a frame."""
    try:
        changes = SiteFields.model_validate({"frame_hosts": page.form.words("frame_hosts")})
        await page.dependencies.sites.edit(page.principal, page.site, changes)
    except (ValidationError, ApiError) as error:
        return await _sharing(page, mistakes(error))
    return page.redirect(f"{page.base}/sharing", saved=True)


async def _sharing(page: PageRequest, errors: Mapping[str, str], made: str = "") -> Response:
    site, shares = page.site, page.dependencies.shares
    shown = made or f"{_origin(page)}{PUBLIC}/{site.slug}"
    return page.render(
        "sharing.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        site=site,
        errors=errors,
        form=page.form,
        links=await shares.of_site(site),
        may_make=shares.may_make(page.principal),
        made=made,
        public=f"{_origin(page)}{PUBLIC}/{site.slug}" if site.public_dashboard else "",
        frame=_FRAME.format(url=shown, title=page.t("sharing.frame.title")),
        zone=site.timezone,
    )


def _origin(page: PageRequest) -> str:
    scheme = "https" if page.is_secure else "http"
    here = f"{scheme}://{page.request.headers.get('host', '')}"
    return (page.dependencies.public_url or here).rstrip("/")
