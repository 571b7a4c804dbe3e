"""Settings: read once from `LUOT_*` environment variables into a frozen, typed object."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_args, get_type_hints

import msgspec
from msgspec import Meta

from services.model.cluster_address import ClusterAddress, is_cluster_url
from services.model.log_schemes import FOR_TESTS, LOG_SCHEMES
from services.model.partition import DEFAULT_PARTITIONS, MAX_PARTITIONS
from services.model.sentinel_address import SentinelAddress, is_sentinel_url
from services.runtime.reasons import reason

PREFIX = "LUOT_"
_FILE = "_FILE"
_LOG_SCHEMES = "|".join(re.escape(name) for name in LOG_SCHEMES if name not in FOR_TESTS)

NAMES = frozenset(
    {
        "ADDRESS_BOTS",
        "ADDRESS_BYTES",
        "ADDRESS_HITS",
        "ADDRESS_VISITORS",
        "ADMIN_TOKEN",
        "AUTH_GROUPS_HEADER",
        "AUTH_HEADER",
        "AUTH_ROLES",
        "BOT_BYTES",
        "BOT_PATTERNS",
        "CLICKHOUSE_URL",
        "COUNTRY_DATABASE",
        "DATA",
        "DRIFT_SECONDS",
        "EDITORS_PUBLISH",
        "FETCH_PRIVATE",
        "FLUSH_HITS",
        "FLUSH_SECONDS",
        "FOLD",
        "GROUP",
        "GROUP_COMMIT_HITS",
        "GROUP_COMMIT_MS",
        "HOT_ROWS",
        "HITS_DAYS",
        "HOST",
        "LEASE_SECONDS",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "LOG_URL",
        "MAIL_FROM",
        "MAX_PATHS",
        "NEW_PATHS",
        "OIDC_CLIENT_ID",
        "OIDC_CLIENT_SECRET",
        "OIDC_GROUPS_CLAIM",
        "OIDC_ISSUER",
        "OIDC_NAME",
        "OIDC_ROLES",
        "OIDC_SCOPES",
        "OIDC_USER_CLAIM",
        "OPEN_METRICS",
        "PARTITIONS",
        "PATH_READERS",
        "PORT",
        "PUBLIC_HOSTS",
        "PUBLIC_URL",
        "RATE_BURST",
        "RATE_PER_MINUTE",
        "REDIS_REPLICAS",
        "REDIS_URL",
        "RETENTION_SECONDS",
        "SALTS",
        "SECURITY_CONTACT",
        "SILENT_SECONDS",
        "SITE_BYTES",
        "SITE_METRICS",
        "SITE_ROOM",
        "SMTP_URL",
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


Port = Annotated[int, Meta(ge=0, le=65535)]
TEN_YEARS = 10 * 365 * 86400.0
"""In seconds: what is longer is a mistake, or infinite."""
LogLevel = Annotated[
    str,
    Meta(
        pattern="^(debug|info|warning|error)$",
        description="detail of log messages: debug, info, warning, error",
    ),
]


class Secret:
    """A text that neither logs nor messages show."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"

    def get_secret_value(self) -> str:
        """Return the text itself."""
        return self._value

    @classmethod
    def of_setting(cls, value: str) -> Self:
        """Return the secret of a setting. Raises ValueError for one that will not do."""
        return cls(value)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service reads."""

    default_port: ClassVar[int] = 8000

    redis_url: Annotated[
        str,
        # It may hold a password.
        Meta(
            pattern=r"^(redis|rediss|unix|rediss?\+(sentinel|cluster))://",
            description="state that processes share, and the log where LUOT_LOG_URL is not set",
            extra={"hidden": True},
        ),
    ] = "redis://127.0.0.1:6379/0"
    log_url: Annotated[
        str,
        Meta(
            pattern=rf"^($|({_LOG_SCHEMES})://)",
            description="the log, where it is not in Redis: kafka://host:9092,host:9092/topic",
            extra={"hidden": True},
        ),
    ] = ""
    redis_replicas: Annotated[
        int,
        Meta(
            ge=0,
            le=10,
            description="replicas of Redis that must hold a hit before it is accepted and counted",
        ),
    ] = 0
    partitions: Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_PARTITIONS,
            description="streams of the log; fixed when the store is created",
        ),
    ] = DEFAULT_PARTITIONS
    group: Annotated[
        str,
        Meta(
            pattern=r"^[\w.-]{1,100}$",
            description="readers of one group share the partitions and their committed positions",
        ),
    ] = "luot"
    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[Port | None, Meta(description="port to listen on")] = None
    log_level: LogLevel = "info"
    log_format: Annotated[
        str, Meta(pattern="^(text|json)$", description="form of log lines: text, json")
    ] = "text"
    unsafe_eviction: Annotated[
        bool, Meta(description="start even on a Redis that may evict the log")
    ] = False

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Read the settings from the environment; `given` values win (command line options).

        `LUOT_X_FILE` names a file that holds the value of `LUOT_X`. Raises SettingsError for an
        unknown name, a value that does not fit, or an unreadable file.
        """
        values = {**_read(os.environ if environ is None else environ), **given}
        read: dict[str, Any] = {}
        wrong: list[str] = []
        for name, kind in settings_of(cls).items():
            if name not in values:
                continue
            try:
                read[name] = _read_as(kind, values[name])
            except msgspec.ValidationError as error:
                shown = "(secret)" if _is_hidden(kind) else repr(values[name])
                wrong.append(f"{PREFIX}{name.upper()}={shown}: {_expected(error)}")
        for name in ("redis_url", "log_url"):
            address = str(read.get(name, ""))
            try:
                if is_sentinel_url(address):
                    SentinelAddress.parse(address)
                elif is_cluster_url(address):
                    ClusterAddress.parse(address)
            except ValueError as error:
                wrong.append(f"{PREFIX}{name.upper()}: {error}")
        if wrong:
            raise SettingsError("\n".join(wrong))
        return cls(**read)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [
            (name, "(hidden)" if _is_hidden(kind) else getattr(self, name))
            for name, kind in settings_of(type(self)).items()
        ]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"

    @property
    def log_at(self) -> str:
        """The URL of the log."""
        return self.log_url or self.redis_url

    @property
    def listen_port(self) -> int:
        """The port to listen on; every service has a default of its own."""
        return self.default_port if self.port is None else self.port


class StoreSettings(Settings, frozen=True, kw_only=True):
    """Settings of the services that open the store."""

    clickhouse_url: Annotated[
        Secret,
        Meta(
            description="clickhouse://user:password@host:9000/database or chdb:///path",
        ),
    ] = Secret("clickhouse://127.0.0.1:9000/luot")


def settings_of(cls: type[Settings]) -> dict[str, Any]:
    """Return the annotated type of each setting of a class, by its name."""
    hints = get_type_hints(cls, include_extras=True)
    return {name: hints[name] for name in cls.__struct_fields__}


def variables_of(name: str) -> tuple[str, str]:
    """Return the two environment variables that set a setting: its value, or a file with it."""
    variable = PREFIX + name.upper()
    return variable, variable + _FILE


def described(kind: Any) -> str:
    """Return what a setting is for, of its annotated type."""
    return str(kind.__metadata__[-1].description)


def _is_hidden(kind: Any) -> bool:
    [plain, *metas] = get_args(kind)
    types = [plain, *get_args(plain)]
    return any(meta.extra for meta in metas) or any(
        isinstance(one, type) and issubclass(one, Secret) for one in types
    )


def _read_as(kind: Any, value: Any) -> Any:
    """Return a value as its type. Raises msgspec.ValidationError."""
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=_custom)
    except msgspec.ValidationError:
        # People write numbers as 08001, .5 or 1_000, and yes or off.
        for read in (int, float, _truth) if isinstance(value, str) else ():
            with suppress(ValueError, msgspec.ValidationError):
                return msgspec.convert(read(value), kind, dec_hook=_custom)
        raise


def _truth(text: str) -> bool:
    words = {"yes": True, "on": True, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _expected(error: msgspec.ValidationError) -> str:
    """Return what is wrong in the words of an environment, which knows neither null nor str."""
    said = str(error).removesuffix(", got `str`")
    return said.replace(" | null`", "`").replace("`bool`", "`true` or `false`")


def _custom(kind: type, value: Any) -> Any:
    """Make what msgspec does not know: paths, and types with a method `of_setting`."""
    if isinstance(value, kind):
        return value
    if not isinstance(value, str):
        raise ValueError(f"Expected text, got {value!r}")
    if issubclass(kind, Path):
        return kind(value)
    return kind.of_setting(value)  # type: ignore[attr-defined]


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
        values[name.lower()] = _read_file(key, value) if from_file else value.strip()
    return values


def _read_file(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{key}={path!r} cannot be read: {reason(error)}; expected a text file"
        ) from None


def _shown(name: str, value: str) -> str:
    """Return the value of an unknown name as it may be shown: a secret may be misspelled."""
    hidden = any(word in name for word in ("TOK", "PASS", "SECRET", "KEY", "URL"))
    return "(hidden)" if hidden else repr(value)
