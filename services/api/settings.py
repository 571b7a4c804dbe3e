"""Settings of the API."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

from msgspec import Meta

from services.api.access.group_roles import GroupRoles
from services.api.access.oidc import settings as oidc
from services.api.stats.reports.mailer import SmtpUrl
from services.http.client_address import THIS_MACHINE, Networks
from services.http.edge import HostNames
from services.settings import TEN_YEARS, Secret, SettingsError, StoreSettings

MIN_TOKEN_LENGTH = 16


PublicUrl = Annotated[str, Meta(pattern=r"^https?://[^\s/]+(/[^\s]*)?$")]


SecurityContact = Annotated[
    str, Meta(pattern=r"^(mailto:[^\s@]+@[^\s@]+|https://\S+|tel:\+?[\d-]+)$")
]


HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,100}$")]
MailFrom = Annotated[str, Meta(pattern=r"^([^\r\n<>@]+ )?<?[^\s@<>]+@[^\s@<>]+>?$")]


class AdminToken(Secret):
    """The bearer token of an owner."""

    @classmethod
    def of_setting(cls, value: str) -> Self:
        """Return the token from a setting. Raises ValueError for one that could be guessed."""
        if len(value) < MIN_TOKEN_LENGTH:
            raise ValueError(f"Expected at least {MIN_TOKEN_LENGTH} characters")
        return cls(value)


class ApiSettings(StoreSettings, frozen=True, kw_only=True):
    """What the API reads from the environment."""

    default_port: ClassVar[int] = 8002

    admin_token: Annotated[
        AdminToken | None,
        Meta(description="bearer token of an owner, for the first steps and for emergencies"),
    ] = None
    public_url: Annotated[
        PublicUrl | None,
        Meta(description="where browsers reach Luot, for example https://thongke.example.vn"),
    ] = None
    security_contact: Annotated[
        SecurityContact | None,
        Meta(description="whom security.txt names, for example mailto:antoan@example.vn"),
    ] = None
    public_hosts: Annotated[
        HostNames,
        Meta(
            description="other names of LUOT_PUBLIC_URL; requests for any further one are refused"
        ),
    ] = HostNames()
    trusted_proxies: Annotated[
        Networks, Meta(description="peers whose X-Forwarded-For is believed")
    ] = THIS_MACHINE
    country_database: Annotated[
        Path | None, Meta(description="MMDB file with countries; none leaves them unknown")
    ] = None
    editors_publish: Annotated[
        bool, Meta(description="editors may publish the traffic of their sites, as owners may")
    ] = False
    site_metrics: Annotated[
        int,
        Meta(ge=0, le=1000, description="sites that have metrics of their own; 0 is none"),
    ] = 50
    silent_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=TEN_YEARS,
            description="a site that has views every day and none for so long in the hours from 7"
            " to 22 is silent",
        ),
    ] = 6 * 3600.0
    oidc_issuer: Annotated[
        oidc.IssuerUrl | None,
        Meta(description="people may sign in at this provider of OpenID Connect"),
    ] = None
    oidc_client_id: Annotated[str | None, Meta(description="what the provider calls this Luot")] = (
        None
    )
    oidc_client_secret: Annotated[
        Secret | None, Meta(description="of this Luot, for the provider; none for a public client")
    ] = None
    oidc_name: Annotated[
        oidc.ButtonName, Meta(description="what people call the provider, for the button")
    ] = "OpenID Connect"
    oidc_roles: Annotated[
        GroupRoles,
        Meta(description="what groups may do: 'admins=owner; editors=editor:mytho,danang'"),
    ] = GroupRoles()
    oidc_user_claim: Annotated[
        oidc.ClaimName,
        Meta(description="claim that names an account; 'email' takes verified ones only"),
    ] = "preferred_username"
    oidc_groups_claim: Annotated[
        oidc.ClaimName, Meta(description="claim with the groups of a person")
    ] = "groups"
    oidc_scopes: Annotated[oidc.Scopes, Meta(description="scopes requested from the provider")] = (
        "openid profile email"
    )
    auth_header: Annotated[
        HeaderName | None,
        Meta(description="header by which a proxy in LUOT_TRUSTED_PROXIES says who signs in"),
    ] = None
    auth_groups_header: Annotated[
        HeaderName, Meta(description="header with their groups, divided by commas")
    ] = "X-Remote-Groups"
    auth_roles: Annotated[
        GroupRoles, Meta(description="what those groups may do, as LUOT_OIDC_ROLES says it")
    ] = GroupRoles()
    fetch_private: Annotated[
        HostNames,
        Meta(
            description="hosts of portals that may have private addresses when their titles are"
            " read; others are not asked there"
        ),
    ] = HostNames()
    smtp_url: Annotated[
        SmtpUrl | None,
        Meta(
            description="the server that takes e-mail: smtp://, starttls:// or"
            " smtps://user:password@host:port"
        ),
    ] = None
    mail_from: Annotated[
        MailFrom | None,
        Meta(description="the sender of e-mail, for example Luot <thongke@example.vn>"),
    ] = None

    def __post_init__(self) -> None:
        """Raise SettingsError if only some of the settings that belong together are set."""
        oidc.check(self.oidc_issuer, self.oidc_client_id, self.public_url, self.oidc_roles)
        if self.auth_header is not None and not self.auth_roles:
            raise SettingsError(
                "LUOT_AUTH_HEADER is set, and LUOT_AUTH_ROLES is not: without a role nobody can"
                " come in, e.g. 'admins=owner'"
            )

    @property
    def provider(self) -> oidc.ProviderSettings | None:
        """The OpenID Connect provider that people may sign in with, if there is one."""
        if self.oidc_issuer is None or self.oidc_client_id is None or self.public_url is None:
            return None
        door = f"{self.public_url.rstrip('/')}/admin/sign-in"
        return oidc.ProviderSettings(
            self.oidc_issuer,
            self.oidc_client_id,
            self.oidc_client_secret,
            self.oidc_name,
            self.oidc_roles,
            f"{door}/oidc/back",
            door,
            self.oidc_user_claim,
            self.oidc_groups_claim,
            self.oidc_scopes,
        )
