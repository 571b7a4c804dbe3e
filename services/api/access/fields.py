"""Fields that users and tokens share in requests: a role, and the sites that it is for."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from services.model.account import PLACE_PATTERN
from services.model.group import GROUP_PLACE

MAX_SITES = 1000
TEXT_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"

SiteName = Annotated[str, Field(pattern=PLACE_PATTERN, max_length=64 + len(GROUP_PLACE))]
SiteNames = Annotated[
    list[SiteName],
    Field(
        max_length=MAX_SITES,
        description="slugs; 'group/' and the slug of a group is every site that the group and those"
        " below it have, now and later; '*' is every site, also later ones",
    ),
]


def _flag(given: object) -> object:
    if given not in ("true", "false") and not isinstance(given, bool):
        raise ValueError("expected true or false")
    return given


Flag = Annotated[bool, BeforeValidator(_flag)]
"""A boolean in a query string: only `true` or `false`."""
