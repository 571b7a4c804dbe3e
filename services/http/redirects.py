"""Addresses with a needless slash at their end."""

from http import HTTPStatus
from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.routing import Match, Router
from starlette.types import ASGIApp, Receive, Scope, Send


def without_last_slash(router: Router) -> ASGIApp:
    """Return a router's answer to addresses that none of its routes knows.

    Where one knows the address without its last slash, that is a redirect to it. The router's own
    would go to the scheme of the connection, which is not the browser's behind a proxy, and to the
    host that the request names.
    """
    unknown = router.default

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        shorter = scope["path"].removesuffix("/")
        known = shorter != scope["path"] and any(
            route.matches({**scope, "path": shorter})[0] is Match.FULL for route in router.routes
        )
        # A browser takes what begins with two slashes for the name of a host.
        if not known or shorter.startswith(("//", "/\\")):
            await unknown(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        address = quote(shorter) + (f"?{query}" if query else "")
        redirect = RedirectResponse(address, HTTPStatus.TEMPORARY_REDIRECT)
        await redirect(scope, receive, send)

    return answer
