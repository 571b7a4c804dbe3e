"""What users and tokens have in common in requests: a role, and sites that exist."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from services.api.sites.registry import Registry
from services.http.errors import bad_request, shown
from services.model.account import ALL_SITES, SITES_PATTERN, Role

MAX_SITES = 1000
TEXT_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"

SiteName = Annotated[str, Field(pattern=SITES_PATTERN, max_length=64)]
SiteNames = Annotated[
    list[SiteName],
    Field(max_length=MAX_SITES, description="slugs; '*' is every site, also later ones"),
]


def sites(role: Role, slugs: Sequence[str], registry: Registry) -> tuple[str, ...]:
    """Return the sites to keep. Raises ApiError when one is unknown, or none is given."""
    if role is Role.BACKUP:
        return ()
    if role is Role.OWNER or ALL_SITES in slugs:
        return (ALL_SITES,)
    if not slugs:
        raise bad_request("sites", f"none; expected at least one for the role {role}, or '*'")
    registry.require_loaded()
    known = {slug: site.slug for slug in slugs if (site := registry.get(slug)) is not None}
    if unknown := [slug for slug in slugs if slug not in known]:
        raise bad_request("sites", f"{shown(unknown[0])} is not a site of this server")
    return tuple(sorted(set(known.values())))
