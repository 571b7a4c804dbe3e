"""The caller, on whom every route that is not public bases its decision."""

from typing import Literal

import msgspec

from services.model.account import ALL_SITES, Role
from services.model.site import Site

Kind = Literal["user", "token", "admin token"]


class Principal(msgspec.Struct, frozen=True):
    """An authenticated caller.

    name   as the audit log names them
    sites  the slugs of their sites; '*' stands for every one
    must_enrol  they may do nothing but turn on their second factor
    groups  the slugs of their groups of sites, with those below them
    """

    name: str
    role: Role
    sites: frozenset[str]
    kind: Kind = "user"
    must_enrol: bool = False
    groups: frozenset[str] = frozenset()

    @property
    def is_owner(self) -> bool:
        """Whether they may do everything."""
        return self.role is Role.OWNER

    def has(self, slug: str) -> bool:
        """Tell whether a site is one of theirs."""
        return self.is_owner or ALL_SITES in self.sites or slug in self.sites

    def has_group(self, slug: str) -> bool:
        """Tell whether a group of sites is one of theirs, and with it all that it has."""
        return self.is_owner or ALL_SITES in self.sites or slug in self.groups

    def may_read(self, site: Site) -> bool:
        """Tell whether they may read the numbers of a site."""
        return self.has(site.slug) or site.public_dashboard

    def may_edit(self, site: Site) -> bool:
        """Tell whether they may change the settings of a site."""
        return self.has(site.slug) and self.role.covers(Role.EDITOR)
