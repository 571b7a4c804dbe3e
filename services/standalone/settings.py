"""Settings of `luot up`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from msgspec import Meta

from services.api.settings import ApiSettings
from services.settings import LogLevel, SettingsError, variables_of

OWN_STORES = ("redis_url", "redis_replicas", "log_url", "clickhouse_url")


class UpSettings(ApiSettings, frozen=True, kw_only=True):
    """What `luot up` reads from the environment; the services read their own settings too."""

    default_port: ClassVar[int] = 8000

    log_level: LogLevel = "warning"
    open_metrics: Annotated[
        bool,
        Meta(description="answer /metrics, /healthz and /readyz to other machines, too"),
    ] = False
    data: Annotated[Path, Meta(description="folder for all persistent data")] = Path("data")

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Read the settings. Raises SettingsError, also if an external store is named."""
        environ = os.environ if environ is None else environ
        for name in OWN_STORES:
            for key in variables_of(name):
                if key in environ:
                    raise SettingsError(
                        f"{key} is set, but `luot up` runs its own stores; unset it, or run `luot"
                        " ingest`, `luot aggregator` and `luot api`"
                    )
        return super().read(environ, **given)
