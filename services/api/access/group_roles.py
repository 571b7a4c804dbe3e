"""Which role people have, on which sites, by the groups that a provider or proxy puts them in."""

from collections.abc import Collection
from typing import Literal, NamedTuple, Self

from services.model.account import ALL_SITES, USER_ROLES, Role

Means = Literal["oidc", "header"]
_EXPECTED = (
    "expected groups with a role and its sites, for example"
    " 'thongke-admins=owner; so-tttt=viewer:*; ban-bien-tap=editor:mytho,danang'"
)


class Granted(NamedTuple):
    """What somebody may do by their groups: a role, and on what, as in `User.sites`."""

    role: Role
    sites: tuple[str, ...]


class OutsidePerson(NamedTuple):
    """Somebody with an account elsewhere.

    by        who vouches for them
    identity  by which they are recognised, whatever their name: unique, and never reused
    name      of the account that is created for them
    granted   what their groups grant them; None for nothing
    """

    by: Means
    identity: str
    name: str
    granted: Granted | None


class GroupRoles(tuple[tuple[str, Granted], ...]):
    """What each group may do: `group=role:site,group/slug; …` in a setting."""

    __slots__ = ()

    @classmethod
    def of_setting(cls, value: str) -> Self:
        """Parse a setting. Raises ValueError."""
        return cls(_entry(part.strip()) for part in value.split(";") if part.strip())

    def of(self, groups: Collection[str]) -> Granted | None:
        """Return what the groups of a person grant; None for nothing.

        The highest role counts, on the sites of the groups that grant it: no group grants a right
        to the sites of another.
        """
        theirs = frozenset(groups)
        granted = [grant for group, grant in self if group in theirs]
        for role in USER_ROLES:
            sites = {site for grant in granted if grant.role is role for site in grant.sites}
            if sites:
                return Granted(role, (ALL_SITES,) if ALL_SITES in sites else tuple(sorted(sites)))
        return None


def _entry(text: str) -> tuple[str, Granted]:
    # A group may have a directory name, cn=luot,ou=groups: the last = is the separator.
    group, sign, given = text.rpartition("=")
    word, _, listed = given.partition(":")
    role = next((one for one in USER_ROLES if one == word.strip()), None)
    sites = tuple(dict.fromkeys(site.strip() for site in listed.split(",") if site.strip()))
    if not sign or not group.strip():
        raise ValueError(f"{text!r} names no group; {_EXPECTED}")
    if role is None:
        roles = ", ".join(USER_ROLES)
        raise ValueError(f"{text!r} has no role; expected one of {roles}: {_EXPECTED}")
    if role is Role.OWNER:
        sites = (ALL_SITES,)
    if not sites:
        raise ValueError(f"{text!r} names no sites; expected slugs, or '*' for all: {_EXPECTED}")
    return group.strip(), Granted(role, sites)
