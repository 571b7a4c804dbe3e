"""Settings of commands that talk to a running Luot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr

from services.settings import Settings, SettingsError

DEFAULT_URL = "http://127.0.0.1:8000"


class ClientSettings(Settings):
    """Where Luot is, and the token that opens it."""

    url: str = Field(
        default=DEFAULT_URL, pattern=r"^https?://[^\s/]+", description="where Luot answers"
    )
    token: SecretStr | None = Field(default=None, description="bearer token of /api/admin")

    @classmethod
    def of(cls, data: Path | None, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; a data folder of `luot up` wins over the environment.

        Raises SettingsError, also when the folder does not have what is needed.
        """
        if data is None:
            return cls.read(environ)
        from services.standalone import folder

        given: dict[str, Any] = {
            name: folder.read(data, name) for name in (folder.URL, folder.TOKEN)
        }
        for name, value in given.items():
            if value is None:
                raise SettingsError(
                    f"--data {data}: the file {name} is missing or cannot be read;"
                    " expected the data folder of `luot up`"
                )
        return cls.read(environ, **given)


class ImportSettings(ClientSettings):
    """What `luot import` does to hits in the place of ingest, with ingest's settings."""

    country_database: Path | None = Field(
        default=None, description="MMDB file with countries; none leaves them unknown"
    )
    max_paths: int = Field(
        default=20_000, ge=1, description="distinct paths a site and day, further ones are (other)"
    )
