"""Pages and the role that each requires, which is checked before anything else."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from services.api.access.authenticator import MustEnrolError, authenticate, authenticator
from services.api.access.principal import Principal
from services.api.access.route import Needed, admit
from services.api.dashboard.requests import forms
from services.api.dashboard.requests.dependencies import Dependencies
from services.api.dashboard.requests.forms import Form
from services.api.dashboard.requests.page_request import HOME, PageRequest, ShownSite
from services.api.dashboard.requests.way_back import way_back
from services.http.errors import ApiError, unknown_site
from services.http.measured_route import MeasuredRoute
from services.model.account import Role

SIGN_IN = f"{HOME}/sign-in"
SECOND_FACTOR = f"{HOME}/second-factor"

Handler = Callable[[PageRequest], Awaitable[Response]]
Admission = Callable[[Request, Dependencies, Principal | None], None]
Finding = Callable[[Request, Dependencies], Awaitable[ShownSite]]


class Pages:
    """Collects routes."""

    def __init__(self, dependencies: Callable[[], Dependencies]) -> None:
        """`dependencies` is called for every request."""
        self._dependencies = dependencies
        self.routes: list[MeasuredRoute] = []

    def add(
        self,
        path: str,
        handler: Handler,
        role: Role | None,
        *methods: str,
        enrolling: bool = False,
    ) -> None:
        """Add a page that requires a role, on the site named in its URL; None is anybody.

        enrolling  also for those who still have to turn on their second factor
        """

        def check(request: Request, dependencies: Dependencies, who: Principal | None) -> None:
            if role is not None:
                admit(request, who, Needed(role))

        self._add(path, handler, check, methods, enrolling=enrolling)

    def add_upload(self, path: str, handler: Handler, role: Role) -> None:
        """Add a route for forms with a file, which is not read at all without the role."""

        def check(request: Request, dependencies: Dependencies, who: Principal | None) -> None:
            del dependencies
            admit(request, who, Needed(role))

        self._add(path, handler, check, ("POST",), with_file=True)

    def add_door(self, path: str, handler: Handler) -> None:
        """Add a route for forms that are posted without a session."""

        def check(request: Request, dependencies: Dependencies, who: Principal | None) -> None:
            del request, dependencies, who

        self._add(path, handler, check, ("POST",), is_door=True)

    def add_readable(self, path: str, handler: Handler) -> None:
        """Add a page for those who may read the numbers of the site in its URL."""

        def check(request: Request, dependencies: Dependencies, who: Principal | None) -> None:
            slug = request.path_params["slug"]
            site = dependencies.registry.get(slug)
            if who is None:
                if site is None or not site.public_dashboard:
                    raise authenticator(request).stranger(request)
            elif site is None or not who.may_read(site):
                raise unknown_site(slug)

        self._add(path, handler, check, ())

    def add_shown(self, path: str, handler: Handler, find: Finding) -> None:
        """Add a page of a site that ignores any session: it looks the same to everybody."""

        async def endpoint(request: Request) -> Response:
            page = PageRequest(request, self._dependencies(), None, Form())
            try:
                shown = await find(request, page.dependencies)
                page = PageRequest(request, page.dependencies, None, Form(), shown)
                await page.dependencies.groups.fresh()
                return await handler(page)
            except ApiError as refusal:
                return _refused(page, refusal)

        self.routes.append(MeasuredRoute(path, endpoint, methods=["GET"]))

    def add_public(self, path: str, handler: Handler) -> None:
        """Add a page for anybody, the same whether they are signed in or not."""

        async def endpoint(request: Request) -> Response:
            page = PageRequest(request, self._dependencies(), None, Form(), home=request.url.path)
            try:
                return await handler(page)
            except ApiError as refusal:
                return _refused(page, refusal)

        self.routes.append(MeasuredRoute(path, endpoint, methods=["GET"]))

    def _add(
        self,
        path: str,
        handler: Handler,
        check: Admission,
        methods: tuple[str, ...],
        *,
        is_door: bool = False,
        enrolling: bool = False,
        with_file: bool = False,
    ) -> None:
        async def endpoint(request: Request) -> Response:
            page = PageRequest(request, self._dependencies(), None, Form())
            try:
                if with_file:
                    check(
                        request, self._dependencies(), await authenticator(request).sender(request)
                    )
                form, unreadable = await _form(request, with_file=with_file)
                csrf = form.get("csrf") or None
                who = None if is_door else await authenticate(request, csrf, enrolling=enrolling)
                # Somebody who is refused is still signed in, and sees the menu.
                page = PageRequest(request, self._dependencies(), who, form)
                check(request, page.dependencies, who)
                if unreadable is not None:
                    raise unreadable
                if who is not None:
                    page.dependencies.registry.require_known()
                await page.dependencies.groups.fresh()
                return await handler(page)
            except ApiError as refusal:
                return _refused(page, refusal)

        self.routes.append(MeasuredRoute(path, endpoint, methods=list(methods or ("GET",))))


async def _form(request: Request, *, with_file: bool) -> tuple[Form, ApiError | None]:
    """Return the form, and the error if it cannot be read, to raise once the role was checked."""
    if request.method != "POST":
        return Form(), None
    try:
        read = forms.read_with_file if with_file else forms.read
        return await read(request), None
    except ApiError as error:
        return Form(), error


async def refusal_page(
    request: Request, dependencies: Callable[[], Dependencies], refusal: ApiError
) -> Response | None:
    """Return the page for a URL below /admin that does not exist; None for programs."""
    if not f"{request.url.path}/".startswith(f"{HOME}/"):
        return None
    if "text/html" not in request.headers.get("accept", ""):
        return None
    try:
        page = PageRequest(request, dependencies(), None, Form())
    except ApiError:
        return None
    with suppress(ApiError):
        page.signed_in = await authenticate(request, enrolling=True)
    response = _refused(page, refusal)
    response.headers.update(refusal.headers)
    return response


def _refused(page: PageRequest, refusal: ApiError) -> Response:
    """Return an error as a page, or as JSON for a program."""
    request = page.request
    if "text/html" not in request.headers.get("accept", ""):
        return refusal.response()
    if refusal.status == HTTPStatus.UNAUTHORIZED and page.signed_in is None:
        return page.redirect(SIGN_IN + way_back(page))
    if isinstance(refusal, MustEnrolError):
        return page.redirect(SECOND_FACTOR)
    title = f"error.{refusal.status}"
    response = page.render(
        "error.html",
        refusal.status,
        title=page.t.known(title, page.t("error.other")),
        errors=refusal.errors,
    )
    if "Retry-After" in refusal.headers:
        response.headers["Retry-After"] = refusal.headers["Retry-After"]
    return response
