"""Settings of ingest."""

import os
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.ingest.memory import default_folder
from services.proxies import THIS_MACHINE, Networks
from services.settings import Settings


def default_spool() -> Path:
    """Return where a service keeps its state (XDG Base Directory Specification 0.8)."""
    if os.geteuid() == 0:
        return Path("/var/lib/luot/spool")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "luot" / "spool"


class IngestSettings(Settings):
    """What ingest reads."""

    default_port: ClassVar[int] = 8001

    trusted_proxies: Networks = Field(
        default=THIS_MACHINE, description="peers whose X-Forwarded-For is believed"
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
