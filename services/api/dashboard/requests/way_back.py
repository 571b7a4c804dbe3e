"""Which page a browser without a session returns to once it has signed in."""

from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from starlette.requests import Request
from starlette.routing import Match

from services.api.access.session_routes import local
from services.api.dashboard.requests.page_request import HOME, SAVED, PageRequest

UNSAVED = "unsaved"
"""A query parameter of the sign-in page: a form was posted without a session, and discarded."""


def way_back(page: PageRequest) -> str:
    """Return the query with which the sign-in page leads back to a page that needs a session."""
    request = page.request
    if request.method == "POST":
        fields = {UNSAVED: "1", "next": _form_page(page)}
    else:
        query = f"?{request.url.query}" if request.url.query else ""
        fields = {"next": request.url.path + query}
    if fields["next"] == HOME:
        del fields["next"]
    return f"?{urlencode(fields, safe='/', quote_via=quote)}" if fields else ""


def _form_page(page: PageRequest) -> str:
    """Return the path of the page whose form was posted.

    That is the referrer, or if the browser names none, the nearest page above the URL of the form.
    """
    request = page.request
    urls = [urlsplit(str(request.url))]
    try:
        referrer = urlsplit(request.headers.get("referer", ""))
        if referrer.hostname == page.host:
            urls.insert(0, referrer)
    except ValueError:
        pass
    paths = (_page_at(request, url) for url in urls)
    return next((local(path) for path in paths if path), HOME)


def _page_at(request: Request, url: SplitResult) -> str:
    """Return the path and query of a URL, or the path of the nearest page above it; '' for none."""
    path = url.path
    query = [(name, value) for name, value in parse_qsl(url.query) if name != SAVED]
    while path.startswith(f"{HOME}/"):
        if _is_page(request, path):
            return f"{path}?{urlencode(query)}" if query else path
        path, query = path.rpartition("/")[0], []
    return ""


def _is_page(request: Request, path: str) -> bool:
    scope = {**request.scope, "method": "GET", "path": unquote(path)}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
