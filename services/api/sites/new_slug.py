"""The slug of a site that is new or renamed."""

from typing import Annotated

from pydantic import AfterValidator, Field

from services.http.errors import shown
from services.model.site import SLUG_PATTERN

TAKEN = frozenset({"groups"})
"""Words in paths where site slugs are, too: `/public/groups/…` is for groups."""


def _is_free(slug: str) -> str:
    if slug in TAKEN:
        raise ValueError(f"{shown(slug)} begins the addresses of groups; expected another one")
    return slug


NewSlug = Annotated[str, Field(pattern=SLUG_PATTERN, max_length=64), AfterValidator(_is_free)]
