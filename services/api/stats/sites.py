"""Which site a query is about, and whether the caller may read it."""

from http import HTTPStatus

from starlette.requests import Request

from services.api.access.authenticator import authenticate, authenticator
from services.api.access.principal import Principal
from services.api.access.route import Needed, admit
from services.api.sites.registry import Registry
from services.http.errors import ApiError, bad_request, shown, unavailable, unknown_site
from services.model.account import Role
from services.model.hosts import fold
from services.model.kept_apart import FREE, kind_of, site_of
from services.model.site import ANY_HOST, Site

_PRINCIPAL = "luot.stats.principal"


async def readable(request: Request, registry: Registry, name: str | None) -> Site:
    """Return the site with a slug or a host.

    Raises ApiError: 400 without a name, or for a host that several sites share; 401 for somebody
    unknown; 404 for a site that they may not read.
    """
    who = await authenticate(request)
    if not registry.known:
        raise unavailable("the sites are not loaded yet")
    if not name:
        if who is None:
            raise authenticator(request).stranger(request)
        raise bad_request("site_id", "missing; expected the slug or a host of a site")
    sites = [
        site
        for site in _named(registry, name)
        if (site.public_dashboard if who is None else who.may_read(site))
    ]
    if not sites:
        if who is None:
            raise authenticator(request).stranger(request)
        raise unknown_site(name, field="site_id")
    if len(sites) > 1:
        slugs = ", ".join(site.slug for site in sites)
        raise bad_request("site_id", f"{shown(name)} is a host of {slugs}; expected a slug")
    request.scope[_PRINCIPAL] = who
    return sites[0]


async def readable_by_slug(request: Request, registry: Registry, slug: str) -> Site:
    """Return the site that an address names.

    Raises ApiError: 401 for strangers, unless its dashboard is public; 404 for a site that somebody
    may not read; 403 for a role that reads no numbers.
    """
    who = await authenticate(request)
    if not registry.known:
        raise unavailable("the sites are not loaded yet")
    site = registry.get(slug)
    if who is None:
        if site is None or not site.public_dashboard:
            raise authenticator(request).stranger(request)
    elif site is None or not who.may_read(site):
        raise unknown_site(slug)
    elif who.has(site.slug):
        admit(request, who, Needed(Role.VIEWER))
    request.scope[_PRINCIPAL] = who
    return site


def principal_of(request: Request) -> Principal | None:
    """Return who asks, after a site was found `readable`; None for a stranger."""
    who: Principal | None = request.scope[_PRINCIPAL]
    return who


def refuse_strangers(request: Request, site: Site) -> None:
    """Refuse strangers what anybody can make up. Raises ApiError, 401 or 403.

    site  as kept for what is requested
    """
    who, kind = principal_of(request), kind_of(site.kept_as)
    if kind not in FREE:
        return
    if who is None:
        raise authenticator(request).stranger(request)
    if not who.has(site.slug):
        of = f"{kind} of {site.slug} are for those who have the site; expected other metrics"
        raise ApiError(HTTPStatus.FORBIDDEN, {"metrics": of})


def summed(site: Site, registry: Registry) -> list[str]:
    """Return warnings about numbers that are of several sites, or not of all of them."""
    # A query about what is kept apart has that kind's name.
    parts = registry.parts(registry.kept(site_of(site.kept_as)) or site)
    notes = []
    if len(parts) > 1:
        slugs = ", ".join(part.slug for part in parts)
        notes.append(f"sums of {slugs}: a visitor of two of them is two, and so is a visit")
    if (into := registry.shown(site)) is not site and into.slug != site.slug:
        notes.append(f"{site.slug} is merged into {into.slug}; these are the numbers of its own")
    return notes


def _named(registry: Registry, name: str) -> list[Site]:
    site = registry.get(name)
    if site is not None:
        return [site]
    host = fold(name).removeprefix("www.")
    sites = registry.all()
    exact = [site for site in sites if host in {known.removeprefix("www.") for known in site.hosts}]
    return exact or [site for site in sites if ANY_HOST not in site.hosts and site.allows(host)]
