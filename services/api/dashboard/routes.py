"""The addresses of the dashboard, and what each takes."""

from collections.abc import Callable

from starlette.routing import BaseRoute, Route

from services.api.dashboard import assets, session_pages, site_page, sites_page
from services.api.dashboard.parts import Parts
from services.api.dashboard.routing import SIGN_IN, Pages
from services.api.dashboard.visit import HOME
from services.model.account import Role

SITE = f"{HOME}/sites/{{slug}}"


def routes(parts: Callable[[], Parts]) -> list[BaseRoute]:
    """Return the routes; `parts` is asked for with every request."""
    pages = Pages(parts)
    pages.add(SIGN_IN, session_pages.sign_in, None)
    pages.add_door(SIGN_IN, session_pages.begin)
    pages.add(f"{HOME}/sign-out", session_pages.sign_out, None, "POST")
    pages.add(HOME, sites_page.sites, Role.VIEWER)
    pages.add_readable(SITE, site_page.site)
    return [Route(assets.PATH, assets.answer), *pages.routes]
