"""`/admin/sign-in` and `/admin/sign-out`."""

from http import HTTPStatus

from starlette.responses import Response

from services.api.access.session_routes import local
from services.api.access.sign_in import CodeNeededError
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.dashboard.requests.routing import SIGN_IN
from services.api.dashboard.requests.way_back import UNSAVED
from services.http.errors import ApiError

LEFT = "left"
"""A query parameter: this browser has signed out here, but a provider may still know it."""


async def sign_in(page: PageRequest) -> Response:
    """Return the form."""
    if page.signed_in is not None:
        return page.redirect(local(page.parameter("next", HOME)))
    # Somebody who has just signed out must not be signed in again by the same header, and somebody
    # whose form was discarded must read so first.
    stays = not page.request.query_params.keys().isdisjoint((LEFT, UNSAVED))
    header = None if stays else page.dependencies.header
    try:
        person = None if header is None else header.person(page.request)
        if person is None:
            return _form(page, "", HTTPStatus.OK)
        user = await page.dependencies.outside.admit(person)
        signed = await page.dependencies.sign_in.begin_outside(page.request, user, person.by)
    except ApiError as refusal:
        return refused(page, refusal)
    response = page.redirect(local(page.parameter("next", HOME)))
    signed.write(page.request, response)
    return response


async def begin(page: PageRequest) -> Response:
    """Begin a session, or return the form with its errors."""
    form, service = page.form, page.dependencies.sign_in
    half = form.get("half")
    try:
        if half:
            signed = await service.finish(page.request, half, form.get("code"))
        else:
            signed = await service.sign_in(
                page.request, form.get("name"), form.raw("password"), form.get("code")
            )
    except ApiError as refusal:
        if "text/html" not in page.request.headers.get("accept", ""):
            raise
        if isinstance(refusal, CodeNeededError):
            return _code(page, refusal.half, "", HTTPStatus.OK)
        # A sign-in that has expired starts again with the password.
        if half and refusal.status != HTTPStatus.GONE:
            response = _code(page, half, _why(page, refusal), refusal.status)
        else:
            response = _form(page, _why(page, refusal), refusal.status)
        if "Retry-After" in refusal.headers:
            response.headers["Retry-After"] = refusal.headers["Retry-After"]
        return response
    response = page.redirect(local(form.get("next", HOME)))
    signed.write(page.request, response)
    return response


async def sign_out(page: PageRequest) -> Response:
    """End the session."""
    response = page.redirect(await _after(page))
    await page.dependencies.sign_in.sign_out(page.request, response)
    return response


def refused(page: PageRequest, refusal: ApiError) -> Response:
    """Return the form with the reason why somebody vouched for elsewhere may not sign in."""
    if "text/html" not in page.request.headers.get("accept", ""):
        raise refusal
    return _form(page, _why(page, refusal), refusal.status)


async def _after(page: PageRequest) -> str:
    """Return where to send a browser that signs out; a provider or proxy may still know it."""
    oidc, who = page.dependencies.oidc, page.signed_in
    if who is None or who.kind != "user":
        return SIGN_IN
    try:
        by = page.dependencies.own.user(who.name).sign_in
        is_known = by == "header" or (by == "oidc" and oidc and await oidc.leaving())
    except ApiError:
        return SIGN_IN
    return f"{SIGN_IN}?{LEFT}=1" if is_known else SIGN_IN


def _form(page: PageRequest, problem: str, status: int) -> Response:
    return page.render(
        "sign_in.html",
        status,
        problem=problem,
        name=page.form.get("name"),
        provider=page.provider,
        left=LEFT in page.request.query_params,
        unsaved=UNSAVED in page.request.query_params,
        by_header=page.dependencies.header is not None,
        next=page.form.get("next") or page.parameter("next", HOME),
    )


def _code(page: PageRequest, half: str, problem: str, status: int) -> Response:
    return page.render(
        "sign_in_code.html",
        status,
        problem=problem,
        half=half,
        next=page.form.get("next") or page.parameter("next", HOME),
    )


def _why(page: PageRequest, refusal: ApiError) -> str:
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return page.t("sign_in.away")
    return "; ".join(map(page.t.told, refusal.errors.values()))
