"""Settings of ingest."""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from services.ingest.memory import default_folder
from services.settings import Settings

Network = IPv4Network | IPv6Network


def _networks(value: Any) -> Any:
    """Split a list of addresses and networks at its commas."""
    if not isinstance(value, str):
        return value
    try:
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(
            f"{error}; expected addresses or networks, for example '127.0.0.0/8,10.1.2.3,::1'"
        ) from None


def default_spool() -> Path:
    """Return where a service keeps its state (XDG Base Directory Specification 0.8)."""
    if os.geteuid() == 0:
        return Path("/var/lib/luot/spool")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "luot" / "spool"


class IngestSettings(Settings):
    """What ingest reads."""

    default_port: ClassVar[int] = 8001

    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = Field(
        default=(ip_network("127.0.0.0/8"), ip_network("::1")),
        description="peers whose X-Forwarded-For is believed",
    )
    rate_per_minute: int = Field(
        default=1200,
        ge=1,
        description="hits a minute of one visitor; an office of like machines is one visitor",
    )
    rate_burst: int = Field(
        default=600, ge=1, description="hits of one visitor that may come at once"
    )
    max_paths: int = Field(
        default=20_000, ge=1, le=1_000_000, description="distinct paths of one site and day"
    )
    country_database: Path | None = Field(
        default=None, description="an MMDB file with ISO codes of countries"
    )
    group_commit_ms: float = Field(
        default=5.0, ge=0, le=1000, description="how long a hit may wait for others to be appended"
    )
    group_commit_hits: int = Field(
        default=500, ge=1, le=500, description="how many hits are appended together at most"
    )
    salts: Path = Field(
        default_factory=default_folder,
        description="a folder in memory (tmpfs) where the day's salts outlive a restart",
    )
    spool: Path = Field(
        default_factory=default_spool,
        description="folder on a local disk for hits that Redis cannot take now; must survive",
    )
    spool_bytes: int = Field(
        default=1 << 30, ge=0, description="how large the spool of one process may become"
    )
