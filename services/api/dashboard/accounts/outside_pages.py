"""`/admin/sign-in/oidc` and the URLs below it: signing in with an OpenID Connect provider."""

from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from services.api.access.oidc.sign_in import OidcSignIn
from services.api.access.session_routes import local
from services.api.dashboard.accounts import session_pages
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.dashboard.requests.routing import SIGN_IN
from services.http.errors import ApiError


async def begin(page: PageRequest) -> Response:
    """Send the browser to the provider."""
    oidc = _provider(page)
    try:
        return await oidc.begin(page.request, local(page.parameter("next", HOME)))
    except ApiError as refusal:
        return session_pages.refused(page, refusal)


async def back(page: PageRequest) -> Response:
    """Begin a session for a browser that the provider sends back."""
    oidc = _provider(page)
    try:
        came = await oidc.finish(page.request)
    except ApiError as refusal:
        response = session_pages.refused(page, refusal)
    else:
        response = page.redirect(local(came.next or HOME))
        came.signed.write(page.request, response)
    oidc.forget(page.request, response)
    return response


async def leave(page: PageRequest) -> Response:
    """Send the browser to the provider's page for signing out."""
    oidc = _provider(page)
    try:
        address = await oidc.leaving()
    except ApiError as refusal:
        return session_pages.refused(page, refusal)
    if address is None:
        return page.redirect(SIGN_IN)
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})


def _provider(page: PageRequest) -> OidcSignIn:
    if page.dependencies.oidc is None:
        message = "LUOT_OIDC_ISSUER names no provider to sign in at"
        raise ApiError(HTTPStatus.NOT_FOUND, {"sign_in": message})
    return page.dependencies.oidc
