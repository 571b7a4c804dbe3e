"""`/public/{slug}` and `/share/{secret}`: a site's page without a session, also within a frame.

They ignore the session of a browser that is signed in, so that no other site can put what somebody
sees when signed in into a frame.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.api.dashboard.requests.dependencies import Dependencies
from services.api.dashboard.requests.page_request import PageRequest, ShownSite
from services.api.dashboard.requests.query_parameters import read
from services.api.sites.shares.routes import SHARE
from services.http.errors import unknown_site

PUBLIC = "/public"


async def public_site(request: Request, dependencies: Dependencies) -> ShownSite:
    """Return the site in the URL, if its dashboard is public. Raises ApiError, 404."""
    slug: str = request.path_params["slug"]
    site = dependencies.registry.require_known().get(slug)
    if site is None or not site.public_dashboard:
        raise unknown_site(slug)
    return ShownSite(site, f"{PUBLIC}/{slug}")


async def shared_site(request: Request, dependencies: Dependencies) -> ShownSite:
    """Return the site that a link shows. Raises ApiError, 404."""
    secret: str = request.path_params["secret"]
    dependencies.registry.require_known()
    return ShownSite(await dependencies.shares.find(secret), f"{SHARE}/{secret}")


async def shared_report(request: Request, dependencies: Dependencies) -> ShownSite:
    """Return the report that a link shows. Raises ApiError, 404."""
    secret: str = request.path_params["secret"]
    dependencies.registry.require_known()
    report = await dependencies.shares.find_report(secret)
    site = report.unit.sites[0] if report.unit.group is None else None
    return ShownSite(site, f"{SHARE}/{secret}", report)


async def online(page: PageRequest) -> Response:
    """Return how many visitors are online, for the page to refresh."""
    query = read(page)
    panels = await page.dependencies.stats.panels(page.site, query, None, page.request)
    return JSONResponse(await panels.online() or 0, headers={"Cache-Control": "no-store"})


def online_url(page: PageRequest) -> str:
    """Return the URL that a site's page polls for the number of visitors online."""
    if page.shown is None:
        return f"/api/v1/stats/realtime/visitors?site_id={page.site.slug}"
    return f"{page.base}/online"
