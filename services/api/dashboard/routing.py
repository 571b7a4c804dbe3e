"""Pages and who may see them: said beside each, and asked before anything else."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.api.access.authenticator import authenticate, authenticator
from services.api.access.principal import Principal
from services.api.access.route import admit
from services.api.dashboard import forms
from services.api.dashboard.forms import Form
from services.api.dashboard.parts import Parts
from services.api.dashboard.visit import HOME, Visit
from services.http.errors import ApiError, unknown_site
from services.model.account import Role

SIGN_IN = f"{HOME}/sign-in"

Answer = Callable[[Visit], Awaitable[Response]]
Check = Callable[[Request, Parts, Principal | None], None]


class Pages:
    """Collects routes."""

    def __init__(self, parts: Callable[[], Parts]) -> None:
        """`parts` is asked for with every request."""
        self._parts = parts
        self.routes: list[Route] = []

    def add(self, path: str, answer: Answer, role: Role | None, *methods: str) -> None:
        """Add a page that takes a role, on the site that its address names; None is anybody."""

        def check(request: Request, parts: Parts, who: Principal | None) -> None:
            if role is not None:
                admit(request, who, role)

        self._add(path, answer, check, methods)

    def add_door(self, path: str, answer: Answer) -> None:
        """Add what a form may send without a session."""

        def check(request: Request, parts: Parts, who: Principal | None) -> None:
            del request, parts, who

        self._add(path, answer, check, ("POST",), is_door=True)

    def add_readable(self, path: str, answer: Answer) -> None:
        """Add a page for whoever may read the numbers of the site that its address names."""

        def check(request: Request, parts: Parts, who: Principal | None) -> None:
            slug = request.path_params["slug"]
            site = parts.registry.get(slug)
            if who is None:
                if site is None or not site.public_dashboard:
                    raise authenticator(request).stranger(request)
            elif site is None or not who.may_read(site):
                raise unknown_site(slug)

        self._add(path, answer, check, ())

    def _add(
        self,
        path: str,
        answer: Answer,
        check: Check,
        methods: tuple[str, ...],
        *,
        is_door: bool = False,
    ) -> None:
        async def endpoint(request: Request) -> Response:
            visit = Visit(request, self._parts(), None, Form())
            try:
                form, unreadable = await _form(request)
                who = None if is_door else await authenticate(request, form.get("csrf") or None)
                check(request, self._parts(), who)
                if unreadable is not None:
                    raise unreadable
                visit = Visit(request, self._parts(), who, form)
                if who is not None:
                    visit.parts.registry.require_known()
                return await answer(visit)
            except ApiError as refusal:
                return _refused(visit, refusal)

        self.routes.append(Route(path, endpoint, methods=list(methods or ("GET",))))


async def _form(request: Request) -> tuple[Form, ApiError | None]:
    """Return the form, and why it cannot be read: for those who may send one."""
    if request.method != "POST":
        return Form(), None
    try:
        return await forms.read(request), None
    except ApiError as error:
        return Form(), error


def _refused(visit: Visit, refusal: ApiError) -> Response:
    """Return a refusal as who asked can read it."""
    request = visit.request
    if "text/html" not in request.headers.get("accept", ""):
        return refusal.response()
    if refusal.status == HTTPStatus.UNAUTHORIZED and visit.known is None:
        here = request.url.path
        if request.method == "GET" and request.url.query:
            here += f"?{request.url.query}"
        back = f"?next={quote(here, safe='/')}" if request.method == "GET" and here != HOME else ""
        return visit.go(SIGN_IN + back)
    title = f"error.{refusal.status}"
    response = visit.page(
        "error.html",
        refusal.status,
        title=visit.t.known(title, visit.t("error.other")),
        errors=refusal.errors,
    )
    if "Retry-After" in refusal.headers:
        response.headers["Retry-After"] = refusal.headers["Retry-After"]
    return response
