"""Settings of the API."""

from typing import ClassVar

from pydantic import Field, SecretStr

from services.proxies import THIS_MACHINE, Networks
from services.settings import StoreSettings

MIN_TOKEN_LENGTH = 16


class ApiSettings(StoreSettings):
    """What the API reads from the environment."""

    default_port: ClassVar[int] = 8002

    admin_token: SecretStr | None = Field(
        default=None,
        min_length=MIN_TOKEN_LENGTH,
        description="bearer token of an owner, for the first steps and for emergencies",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+(/[^\s]*)?$",
        description="where browsers reach Luot, for example https://stats.example.vn",
    )
    trusted_proxies: Networks = Field(
        default=THIS_MACHINE, description="peers whose X-Forwarded-For is believed"
    )
