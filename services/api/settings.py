"""Settings of the API."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

from msgspec import Meta

from services.api.stats.reports.mailer import SmtpUrl
from services.http.client_address import THIS_MACHINE, Networks
from services.http.edge import HostNames
from services.settings import TEN_YEARS, Secret, StoreSettings

MIN_TOKEN_LENGTH = 16


PublicUrl = Annotated[str, Meta(pattern=r"^https?://[^\s/]+(/[^\s]*)?$")]


SecurityContact = Annotated[
    str, Meta(pattern=r"^(mailto:[^\s@]+@[^\s@]+|https://\S+|tel:\+?[\d-]+)$")
]


MailFrom = Annotated[str, Meta(pattern=r"^([^\r\n<>@]+ )?<?[^\s@<>]+@[^\s@<>]+>?$")]


class AdminToken(Secret):
    """The bearer token of an owner."""

    @classmethod
    def of_setting(cls, value: str) -> Self:
        """Return the token of a setting. Raises ValueError for one that could be guessed."""
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
