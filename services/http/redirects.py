"""Paths with a needless trailing slash."""

from http import HTTPStatus
from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.routing import Match, Router
from starlette.types import ASGIApp, Receive, Scope, Send


def without_last_slash(router: Router) -> ASGIApp:
    """Return a router's handler for paths that none of its routes matches.

    If one matches the path without its trailing slash, it redirects there. The router's own
    redirect would use the scheme of the connection, which is not the browser's behind a proxy, and
    the host that the request names.
    """
    unknown = router.default

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        shorter = scope["path"].removesuffix("/")
        known = shorter != scope["path"] and any(
            route.matches({**scope, "path": shorter})[0] is Match.FULL for route in router.routes
        )
        # A browser takes what follows two leading slashes for a host name.
        if not known or shorter.startswith(("//", "/\\")):
            await unknown(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        address = quote(shorter) + (f"?{query}" if query else "")
        redirect = RedirectResponse(address, HTTPStatus.TEMPORARY_REDIRECT)
        await redirect(scope, receive, send)

    return answer
