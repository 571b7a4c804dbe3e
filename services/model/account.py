"""Users and tokens: who may do what."""

from enum import StrEnum
from typing import Annotated

import msgspec

from services.model.group import GROUP_PLACE
from services.model.site import SLUG_PATTERN

ALL_SITES = "*"
NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._@+-]{0,98}[a-z0-9])?$"
PLACE_PATTERN = rf"^\*$|^(?:{GROUP_PLACE})?{SLUG_PATTERN.removeprefix('^')}"
"""What a right may apply to: a site, a group of sites, or everything."""


class Role(StrEnum):
    """What somebody may do, on the sites that are theirs."""

    OWNER = "owner"
    """Everything: sites, users, tokens, backups."""
    EDITOR = "editor"
    """Read the numbers of their sites, and change their settings and opening balances."""
    VIEWER = "viewer"
    """Read the numbers of their sites."""
    SEND = "send"
    """Send hits of their sites for readers that they vouch for, and nothing else: a token only."""
    BACKUP = "backup"
    """Read everything that the store holds, as a backup, and nothing else: a token only."""

    def covers(self, needed: "Role") -> bool:
        """Tell whether this role includes the rights of another."""
        return _RANKS[self] >= _RANKS[needed]


_RANKS = {Role.SEND: 0, Role.BACKUP: 0, Role.VIEWER: 1, Role.EDITOR: 2, Role.OWNER: 3}

USER_ROLES = (Role.OWNER, Role.EDITOR, Role.VIEWER)
"""The roles of people; a program may have each of them, too."""

Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN, max_length=100)]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person who signs in.

    password     argon2id in PHC form
    sites        slugs, and groups as `group/` and their slug; '*' stands for every site
    stamp        random, renewed with every password: sessions with an older one are invalid
    created_at   milliseconds since 1970, UTC, like password_at and second_factor_at
    second_factor           secret of the codes (RFC 6238) in base 32; '' without
    recovery_codes          digests of those that were not used yet
    second_factor_required  without one, they may do nothing but turn it on
    identity     by which a provider or a proxy vouches for them, see OutsidePerson; then they have
                 no password and no second factor here. '' for all others
    """

    name: Name
    password: str
    role: Role
    sites: tuple[str, ...] = ()
    stamp: str
    created_at: int = 0
    password_at: int = 0
    second_factor: str = ""
    second_factor_at: int = 0
    recovery_codes: tuple[str, ...] = ()
    second_factor_required: bool = False
    identity: str = ""

    @property
    def must_enrol(self) -> bool:
        """Whether they have to turn on a second factor first."""
        return self.second_factor_required and not self.second_factor and not self.identity

    @property
    def sign_in(self) -> str:
        """How they sign in: `password`, `oidc` or `header`."""
        return self.identity.partition(" ")[0] or "password"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A program's credential, instead of a password.

    digest       SHA-256 of the token in hex; the token itself is not stored
    sites        like those of a user
    expires_at   milliseconds since 1970, UTC; None means never
    """

    id: str
    digest: str
    role: Role
    sites: tuple[str, ...] = ()
    note: str = ""
    created_at: int = 0
    created_by: str = ""
    expires_at: int | None = None

    def is_expired(self, now_ms: int) -> bool:
        """Tell whether it has expired."""
        return self.expires_at is not None and now_ms >= self.expires_at


class SendToken(msgspec.Struct, frozen=True):
    """What ingest knows about a token with the role `send`; it is looked up by its digest.

    sites  slugs, including those of sites in groups; '*' stands for every site
    """

    id: str
    sites: frozenset[str]
    expires_at: int | None = None
