"""Settings of the API."""

from typing import Annotated, ClassVar, Self

from msgspec import Meta

from services.http.client_address import THIS_MACHINE, Networks
from services.http.edge import HostNames
from services.settings import Secret, StoreSettings

MIN_TOKEN_LENGTH = 16


PublicUrl = Annotated[str, Meta(pattern=r"^https?://[^\s/]+(/[^\s]*)?$")]


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
    public_hosts: Annotated[
        HostNames,
        Meta(
            description="other names of LUOT_PUBLIC_URL; requests for any further one are refused"
        ),
    ] = HostNames()
    trusted_proxies: Annotated[
        Networks, Meta(description="peers whose X-Forwarded-For is believed")
    ] = THIS_MACHINE
