"""The settings that signing in with a provider needs."""

from typing import Annotated, NamedTuple

from msgspec import Meta

from services.api.access.group_roles import GroupRoles
from services.settings import Secret, SettingsError

IssuerUrl = Annotated[
    str,
    Meta(
        # Plain HTTP on this machine alone: what a provider says is to be believed.
        pattern=r"^(https://[^\s?#]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/[^\s?#]*)?)$"
    ),
]
ClaimName = Annotated[str, Meta(pattern=r"^[\w.:/-]{1,200}$")]
Scopes = Annotated[str, Meta(pattern=r"^[\x21-\x7e]+( [\x21-\x7e]+)*$")]
ButtonName = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,60}$")]


class ProviderSettings(NamedTuple):
    """A provider, Luot as its client, and what its claims mean here.

    back     where the provider sends people back to
    left     where it sends them after they have left it
    user     the claim that names the account; `email` only where `email_verified` says so
    groups   the claim that lists the groups, a text or a list of texts
    """

    issuer: str
    client_id: str
    client_secret: Secret | None
    name: str
    roles: GroupRoles
    back: str
    left: str
    user: str = "preferred_username"
    groups: str = "groups"
    scopes: str = "openid profile email"


def check(issuer: str | None, client_id: str | None, public_url: str | None, roles: object) -> None:
    """Raise SettingsError where the settings of a provider are there in part."""
    if issuer is None:
        if client_id is not None:
            raise SettingsError(
                "LUOT_OIDC_CLIENT_ID is set, and LUOT_OIDC_ISSUER is not; expected both"
            )
        return
    for name, value, example in (
        ("LUOT_OIDC_CLIENT_ID", client_id, "what the provider calls this Luot"),
        ("LUOT_PUBLIC_URL", public_url, "it is where the provider sends people back to"),
        ("LUOT_OIDC_ROLES", roles, "without a role nobody can come in, e.g. 'admins=owner'"),
    ):
        if not value:
            raise SettingsError(f"LUOT_OIDC_ISSUER is set, and {name} is not: {example}")
