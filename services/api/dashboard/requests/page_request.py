"""One request for a page: who sent it, in which language, and the response."""

from collections.abc import AsyncIterator
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from services.api.access import cookies
from services.api.access.authenticator import authenticator
from services.api.access.principal import Principal
from services.api.dashboard.requests import assets
from services.api.dashboard.requests.dependencies import Dependencies
from services.api.dashboard.requests.forms import Form
from services.api.dashboard.texts import language
from services.api.dashboard.texts.language import Language
from services.api.sites.shares.service import SharedReport
from services.http.errors import ApiError, unknown_site
from services.model.account import Role
from services.model.default_period import DefaultPeriod
from services.model.display import Lang
from services.model.site import Site

HOME = "/admin"
SAVED = "saved"
"""A query parameter after a redirect: the change was made."""

_YEAR_SECONDS = 366 * 86400
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


class ShownSite(NamedTuple):
    """What is shown to anybody with the URL: never with a session, and also in frames.

    site    None for a report of a group, which cannot be framed
    base    the URL of its page
    report  the report that a link shows, if it shows one
    """

    site: Site | None
    base: str
    report: SharedReport | None = None


class PageRequest:
    """What a handler of a page gets, and how it responds.

    signed_in  who sent it; None is anybody, on a page that everybody may read
    home       the path below which the chosen language applies
    """

    def __init__(
        self,
        request: Request,
        dependencies: Dependencies,
        signed_in: Principal | None,
        form: Form,
        shown: ShownSite | None = None,
        home: str = HOME,
    ) -> None:
        self.request = request
        self._home = home
        self.shown = shown
        self.dependencies = dependencies
        self.form = form
        self.t = Language(language.preferred(request))
        self.signed_in = signed_in

    @property
    def principal(self) -> Principal:
        """Who sent it, for pages that require a role. Raises ApiError, 401."""
        if self.signed_in is None:
            raise authenticator(self.request).stranger(self.request)
        return self.signed_in

    @property
    def site(self) -> Site:
        """The site named in the URL. Raises ApiError, 404, when there is none."""
        if self.shown is not None and self.shown.site is not None:
            return self.shown.site
        slug = self.request.path_params.get("slug", "")
        site = self.dependencies.registry.get(slug)
        if site is None:
            raise unknown_site(slug)
        return site

    @property
    def is_theirs(self) -> bool:
        """Whether the site in the URL is one of those of the caller, not only public."""
        return self.signed_in is not None and self.signed_in.has(self.site.slug)

    @property
    def default_period(self) -> DefaultPeriod:
        """The period that pages of the site or group in the URL open with. Raises ApiError."""
        named = self.request.path_params
        if self.shown is None and "slug" not in named:
            return self.dependencies.groups.default_period_of(named.get("group", ""))
        return self.dependencies.groups.default_period(self.site)

    @property
    def base(self) -> str:
        """The URL of the site's page, with which those of its other pages begin."""
        return f"{HOME}/sites/{self.site.slug}" if self.shown is None else self.shown.base

    @property
    def is_secure(self) -> bool:
        """Whether the browser's connection is TLS."""
        return authenticator(self.request).clients.is_secure(self.request)

    @property
    def host(self) -> str:
        """The host under which people reach this server."""
        return authenticator(self.request).clients.host(self.request)

    @property
    def provider(self) -> str:
        """The display name of the provider for signing in; '' without one."""
        oidc = self.dependencies.oidc
        return "" if oidc is None else oidc.name

    def parameter(self, name: str, default: str = "") -> str:
        """Return a query parameter."""
        return self.request.query_params.get(name, default)

    def render(
        self,
        template: str,
        status: int = HTTPStatus.OK,
        *,
        frames: bool = False,
        refusal: ApiError | None = None,
        **context: Any,
    ) -> Response:
        """Return a page.

        With `frames`, it may show pages of this server in frames. With a `refusal`, its numbers
        are not there: it has the status and headers of the refusal.
        """
        body = self.part(template, **context)
        headers = self._headers(frames=frames)
        if refusal is not None:
            status, headers = refusal.status, headers | refusal.headers
        return self._with_cookie(HTMLResponse(body, status, headers))

    def stream(self, parts: AsyncIterator[str]) -> Response:
        """Return a page that is sent in parts, each as soon as it is rendered."""
        response = StreamingResponse(parts, headers=self._headers(), media_type="text/html")
        return self._with_cookie(response)

    def part(self, template: str, **context: Any) -> str:
        """Return a part of a page."""
        return _templates().get_template(template).render(self._context() | context)

    def redirect(self, path: str, *, saved: bool = False) -> Response:
        """Return a redirect to another page after a change; with `saved`, that page says so."""
        mark = f"{'&' if '?' in path else '?'}{SAVED}=1" if saved else ""
        return RedirectResponse(path + mark, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})

    def _context(self) -> dict[str, Any]:
        """Return the variables of every template."""
        secret = authenticator(self.request).secret(self.request)
        who = self.signed_in
        return {
            "t": self.t,
            "principal": who,
            "csrf": cookies.csrf(secret) if secret and who and who.kind == "user" else "",
            "is_owner": who is not None and who.is_owner,
            "is_editor": who is not None and who.role.covers(Role.EDITOR),
            "asset": assets.url,
            "here": self.request.url.path,
            "languages": self._languages(),
            "is_shown": self.shown is not None,
            "saved": SAVED in self.request.query_params,
        }

    def _languages(self) -> list[tuple[Lang, str, str]]:
        """Return the other languages, their names, and the URLs of this page in them."""
        if self.request.method != "GET":
            return []
        url = self.request.url
        return [
            (
                lang,
                language.own_name(lang),
                f"{url.path}?{url.include_query_params(lang=lang.value).query}",
            )
            for lang in Lang
            if lang is not self.t.lang
        ]

    def _headers(self, *, frames: bool = False) -> dict[str, str]:
        policy = f"{_POLICY}; frame-src 'self'" if frames else _POLICY
        shown = None if self.shown is None else self.shown.site
        if shown is not None and shown.frame_hosts:
            hosts = " ".join(
                f"{scheme}://{host}:*" for host in shown.frame_hosts for scheme in ("https", "http")
            )
            policy = policy.replace("frame-ancestors 'none'", f"frame-ancestors {hosts}")
        return _HEADERS | {"Content-Security-Policy": policy}

    def _with_cookie(self, response: Response) -> Response:
        if self.parameter(language.PARAMETER) in tuple(Lang):
            response.set_cookie(
                language.COOKIE,
                self.t.lang,
                max_age=_YEAR_SECONDS,
                # As browsers write it: decoded, it could hold a character that ends the path.
                path=quote(self._home if self.shown is None else self.shown.base),
                secure=self.is_secure,
                httponly=True,
                samesite="lax",
            )
        return response


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("services.api.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
