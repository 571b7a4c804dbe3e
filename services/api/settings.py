"""Settings of the API."""

from typing import ClassVar

from pydantic import Field, SecretStr

from services.settings import StoreSettings

MIN_TOKEN_LENGTH = 16


class ApiSettings(StoreSettings):
    """What the API reads from the environment."""

    default_port: ClassVar[int] = 8002

    admin_token: SecretStr | None = Field(
        default=None,
        min_length=MIN_TOKEN_LENGTH,
        description="bearer token of /api/admin; without one, administration is off",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+(/[^\s]*)?$",
        description="where browsers reach Luot, for example https://stats.example.vn",
    )
