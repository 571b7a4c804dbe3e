"""Settings of ingest."""

import os
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta, field

from services.http.client_address import THIS_MACHINE, Networks
from services.ingest.salt_memory import default_folder
from services.settings import Settings


def default_spool() -> Path:
    """Return where a service keeps its state (XDG Base Directory Specification 0.8)."""
    if os.geteuid() == 0:
        return Path("/var/lib/luot/spool")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "luot" / "spool"


class IngestSettings(Settings, frozen=True, kw_only=True):
    """What ingest reads."""

    default_port: ClassVar[int] = 8001

    trusted_proxies: Annotated[
        Networks, Meta(description="peers whose X-Forwarded-For is believed")
    ] = THIS_MACHINE
    rate_per_minute: Annotated[
        int,
        Meta(
            ge=1,
            description="hits a minute of one visitor; an office of like machines is one visitor",
        ),
    ] = 1200
    rate_burst: Annotated[
        int, Meta(ge=1, description="hits of one visitor that may come at once")
    ] = 600
    max_paths: Annotated[
        int, Meta(ge=1, le=1_000_000, description="new paths of one site and day")
    ] = 20_000
    new_paths: Annotated[
        int,
        Meta(ge=1, description="new paths of one site and day that one address opens by itself"),
    ] = 1_000
    path_readers: Annotated[
        int, Meta(ge=2, le=10, description="addresses that have to see any other new path first")
    ] = 3
    country_database: Annotated[
        Path | None, Meta(description="an MMDB file with ISO codes of countries")
    ] = None
    bot_patterns: Annotated[
        Path | None,
        Meta(description="a file of User-Agents that are bots or are not, and of referrer spam"),
    ] = None
    group_commit_ms: Annotated[
        float,
        Meta(ge=0, le=1000, description="how long a hit may wait for others to be appended"),
    ] = 5.0
    group_commit_hits: Annotated[
        int, Meta(ge=1, le=500, description="how many hits are appended together at most")
    ] = 500
    salts: Annotated[
        Path,
        Meta(description="a folder in memory (tmpfs) where the day's salts outlive a restart"),
    ] = field(default_factory=default_folder)
    spool: Annotated[
        Path,
        Meta(
            description="folder on a local disk for hits that Redis cannot take now; must survive"
        ),
    ] = field(default_factory=default_spool)
    spool_bytes: Annotated[
        int, Meta(ge=0, description="how large the spool of one process may become")
    ] = 1 << 30
