"""Settings of ingest."""

import os
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta, field

from services.http.client_address import THIS_MACHINE, Networks
from services.ingest.budgets import DAY
from services.ingest.packed_counts import AddressLimits
from services.ingest.salt_memory import default_folder
from services.settings import Settings


def default_spool() -> Path:
    """Return where a service keeps its state (XDG Base Directory Specification 0.8)."""
    if os.geteuid() == 0:
        return Path("/var/lib/luot/spool")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "luot" / "spool"


MOST = 1 << 31
"""Of one address in an hour; what is larger is no limit, and does not fit in a budget."""


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
            description="hits a minute of one visitor; identical machines behind one address"
            " count as one visitor",
        ),
    ] = 1200
    rate_burst: Annotated[
        int, Meta(ge=1, description="hits of one visitor that may come at once")
    ] = 600
    address_hits: Annotated[
        int,
        Meta(
            ge=1,
            le=MOST,
            description="hits an hour of one address on one site; 4 times that on all sites,"
            " 8 times that in a day",
        ),
    ] = 30_000
    address_visitors: Annotated[
        int,
        Meta(
            ge=1,
            le=MOST,
            description="new visitors an hour of one address, like LUOT_ADDRESS_HITS; views of"
            " visitors beyond the limit belong to no visit",
        ),
    ] = 6000
    address_bots: Annotated[
        int,
        Meta(
            ge=1,
            le=MOST,
            description="hits of bots an hour of one address, like LUOT_ADDRESS_HITS; above, only a"
            " count of them is kept",
        ),
    ] = 1000
    address_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=MOST,
            description="bytes of the log an hour for one address, like LUOT_ADDRESS_HITS",
        ),
    ] = 8 << 20
    bot_bytes: Annotated[
        int,
        Meta(
            ge=0,
            description="bytes of the log an hour for bots of all addresses, a quarter of it for"
            " one site; above, only a count of them is kept",
        ),
    ] = 32 << 20
    site_room: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="how full the log is, from 0 to 1, when hits of sites that took most of it"
            " lately are refused, so that the others go on; 1 is never",
        ),
    ] = 0.85
    site_bytes: Annotated[
        int,
        Meta(
            ge=0,
            description="bytes of the log an hour for the readers of one site, however empty the"
            " log is; 0 is any number",
        ),
    ] = 0
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
            " restarts"
        ),
    ] = field(default_factory=default_spool)
    spool_bytes: Annotated[
        int, Meta(ge=0, description="how large the spool of one process may become")
    ] = 1 << 30

    def of_one_address(self) -> AddressLimits:
        """Return what one address may send to one site."""
        return AddressLimits(
            hits=self.address_hits,
            visitors=self.address_visitors,
            bots=self.address_bots,
            octets=self.address_bytes,
            day=DAY,
        )
