"""Settings of commands that talk to a running Luot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from msgspec import Meta

from services.settings import Secret, Settings, SettingsError

DEFAULT_URL = "http://127.0.0.1:8000"


class ClientSettings(Settings, frozen=True, kw_only=True):
    """The address of Luot, and the token to access it."""

    url: Annotated[str, Meta(pattern=r"^https?://[^\s/]+", description="where Luot answers")] = (
        DEFAULT_URL
    )
    token: Annotated[Secret | None, Meta(description="bearer token of /api/admin")] = None

    def __post_init__(self) -> None:
        """Raise SettingsError for what no request can have."""
        import httpx

        try:
            httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise SettingsError(f"LUOT_URL={self.url!r}: {error}; expected a URL") from None
        token = "" if self.token is None else self.token.get_secret_value()
        if not (token.isascii() and token.isprintable()):
            raise SettingsError("LUOT_TOKEN=(secret): expected letters, digits and signs of ASCII")

    @classmethod
    def of(cls, data: Path | None, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; a data folder of `luot up` overrides the environment.

        Raises SettingsError, also if the folder lacks the address or the token.
        """
        if data is None:
            return cls.read(environ)
        from services.embedded import data_folder

        given: dict[str, Any] = {
            name: data_folder.read(data, name) for name in (data_folder.URL, data_folder.TOKEN)
        }
        for name, value in given.items():
            if value is None:
                raise SettingsError(
                    f"--data {data}: the file {name} is missing or cannot be read;"
                    " expected the data folder of `luot up`"
                )
        return cls.read(environ, **given)


class ProbeSettings(ClientSettings, frozen=True, kw_only=True):
    """What `luot probe` reads from the environment."""

    default_port: ClassVar[int] = 8004


class AgentSettings(Settings, frozen=True, kw_only=True):
    """What decides about a User-Agent in addition to the built-in rules."""

    bot_patterns: Annotated[
        Path | None, Meta(description="file of User-Agents that are bots, or are not")
    ] = None


class ImportSettings(ClientSettings, frozen=True, kw_only=True):
    """Settings of ingest for what `luot import` does to hits in its place."""

    country_database: Annotated[
        Path | None, Meta(description="MMDB file with countries; none leaves them unknown")
    ] = None
    bot_patterns: Annotated[
        Path | None, Meta(description="file of User-Agents that are bots, or are not")
    ] = None
    max_paths: Annotated[
        int, Meta(ge=1, description="distinct paths per site and day; further ones are (other)")
    ] = 20_000

    def places(self, data: Path | None) -> Path | None:
        """Return the country database: that of the data folder of `luot up`, if it has one."""
        from services.embedded import data_folder

        of_folder = None if data is None else data / data_folder.PLACES
        return of_folder if of_folder and of_folder.exists() else self.country_database
