"""`/admin/sign-in` and `/admin/sign-out`."""

from http import HTTPStatus

from starlette.responses import Response

from services.api.access.session_routes import local
from services.api.dashboard.routing import SIGN_IN
from services.api.dashboard.visit import HOME, Visit
from services.http.errors import ApiError


async def sign_in(visit: Visit) -> Response:
    """Return the form."""
    if visit.known is not None:
        return visit.go(local(visit.asked("next", HOME)))
    return _form(visit, "", HTTPStatus.OK)


async def begin(visit: Visit) -> Response:
    """Begin a session, or say what was wrong."""
    form = visit.form
    try:
        signed = await visit.parts.signing.sign_in(
            visit.request, form.get("name"), form.raw("password")
        )
    except ApiError as refusal:
        if "text/html" not in visit.request.headers.get("accept", ""):
            raise
        response = _form(visit, _why(visit, refusal), refusal.status)
        if "Retry-After" in refusal.headers:
            response.headers["Retry-After"] = refusal.headers["Retry-After"]
        return response
    response = visit.go(local(form.get("next", HOME)))
    signed.write(response)
    return response


async def sign_out(visit: Visit) -> Response:
    """End the session."""
    response = visit.go(SIGN_IN)
    await visit.parts.signing.sign_out(visit.request, response)
    return response


def _form(visit: Visit, problem: str, status: int) -> Response:
    return visit.page(
        "sign_in.html",
        status,
        problem=problem,
        name=visit.form.get("name"),
        next=visit.form.get("next") or visit.asked("next", HOME),
    )


def _why(visit: Visit, refusal: ApiError) -> str:
    match refusal.status:
        case HTTPStatus.UNAUTHORIZED:
            return visit.t("sign_in.wrong")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return visit.t("sign_in.throttled", seconds=refusal.headers.get("Retry-After", "60"))
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return visit.t("sign_in.away")
    return "; ".join(refusal.errors.values())
