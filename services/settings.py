"""Settings: read once from `LUOT_*` environment variables into a frozen, typed object."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from services.log.keys import DEFAULT_PARTITIONS, MAX_PARTITIONS

PREFIX = "LUOT_"
_FILE = "_FILE"

NAMES = frozenset(
    {
        "ADMIN_TOKEN",
        "CLICKHOUSE_URL",
        "COUNTRY_DATABASE",
        "DATA",
        "DRIFT_SECONDS",
        "FLUSH_HITS",
        "FLUSH_SECONDS",
        "GROUP",
        "GROUP_COMMIT_HITS",
        "GROUP_COMMIT_MS",
        "HOT_ROWS",
        "HITS_DAYS",
        "HOST",
        "LEASE_SECONDS",
        "LOG_LEVEL",
        "MAX_PATHS",
        "PARTITIONS",
        "PORT",
        "PUBLIC_URL",
        "RATE_BURST",
        "RATE_PER_MINUTE",
        "REDIS_URL",
        "RETENTION_SECONDS",
        "SALTS",
        "SPOOL",
        "SPOOL_BYTES",
        "TOKEN",
        "TRUSTED_PROXIES",
        "UNSAFE_EVICTION",
        "URL",
    }
)
"""Every setting of every service, without the prefix; any other name stops the start."""

_OUTSIDE = frozenset({"LUOT_TEST_REQUIRE_ALL"})


class SettingsError(Exception):
    """A setting that cannot be used; the message names it, its value and what was expected."""


class Settings(BaseModel):
    """What every service reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    default_port: ClassVar[int] = 8000

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        pattern=r"^(redis|rediss|unix)://",
        repr=False,  # it may hold a password
        description="the log",
    )
    partitions: int = Field(
        default=DEFAULT_PARTITIONS,
        ge=1,
        le=MAX_PARTITIONS,
        description="streams of the log; fixed when the store is created",
    )
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int | None = Field(default=None, ge=0, le=65535, description="port to listen on")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    unsafe_eviction: bool = Field(
        default=False, description="start even on a Redis that may evict the log"
    )

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Read the settings from the environment; `given` values win (command line options).

        `LUOT_X_FILE` names a file that holds the value of `LUOT_X`. Raises SettingsError for an
        unknown name, a value that does not fit, or an unreadable file.
        """
        values = {**_read(os.environ if environ is None else environ), **given}
        try:
            return cls.model_validate({k: v for k, v in values.items() if k in cls.model_fields})
        except ValidationError as error:
            raise SettingsError("\n".join(_explain(cls, values, error))) from None

    @property
    def listen_port(self) -> int:
        """The port to listen on; every service has a default of its own."""
        return self.default_port if self.port is None else self.port


class StoreSettings(Settings):
    """Settings of the services that open the store."""

    clickhouse_url: SecretStr = Field(
        default=SecretStr("clickhouse://127.0.0.1:9000/luot"),
        description="clickhouse://user:password@host:9000/database or chdb:///path",
    )
    group: str = Field(
        default="luot",
        pattern=r"^[\w.-]{1,100}$",
        description="readers of one group share the partitions and their committed positions",
    )


Seconds = Annotated[float, Field(gt=0)]


def _read(environ: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, value in sorted(environ.items()):
        if not key.startswith(PREFIX) or key in _OUTSIDE:
            continue
        name = key.removeprefix(PREFIX)
        from_file = name.endswith(_FILE) and name not in NAMES
        name = name.removesuffix(_FILE) if from_file else name
        if name not in NAMES:
            raise SettingsError(
                f"{key}={_shown(name, value)} is not a setting of Luot; expected one of"
                f" {', '.join(PREFIX + known for known in sorted(NAMES))}"
            )
        if name.lower() in values:
            raise SettingsError(
                f"{PREFIX}{name} and {PREFIX}{name}{_FILE} are both set; expected one"
            )
        values[name.lower()] = _read_file(key, value) if from_file else value
    return values


def _read_file(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{key}={path!r} cannot be read: {error}; expected a text file"
        ) from None


def _shown(name: str, value: str) -> str:
    """Return the value of an unknown name as it may be shown: a secret may be misspelled."""
    hidden = any(word in name for word in ("TOK", "PASS", "SECRET", "KEY", "URL"))
    return "(hidden)" if hidden else repr(value)


def _explain(cls: type[Settings], values: Mapping[str, Any], error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        name = str(problem["loc"][0])
        field = cls.model_fields[name]
        secret = "Secret" in str(field.annotation) or not field.repr
        shown = "(secret)" if secret else repr(values.get(name))
        lines.append(f"{PREFIX}{name.upper()}={shown}: {problem['msg']}")
    return lines
