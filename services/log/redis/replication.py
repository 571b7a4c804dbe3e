"""Checks of the replicas of a Redis, from what it reports."""

import re
from collections.abc import Mapping
from typing import Any

from services.log.server_check import ServerCheck


def replication(info: Mapping[str, Any], needed: int) -> list[ServerCheck]:
    """Check what INFO says; `needed` replicas must hold a hit. No checks without replicas."""
    if info.get("role") == "slave":
        master = f"{info.get('master_host')}:{info.get('master_port')}"
        return [
            ServerCheck(
                "replicas",
                False,
                f"this server is a replica of {master}",
                "set LUOT_REDIS_URL to the master, or to its Sentinels: a replica takes no hits",
            )
        ]
    known = [of for name, of in info.items() if re.fullmatch(r"slave\d+", name)]
    online = sum(replica.get("state") == "online" for replica in known)
    if needed:
        return [
            ServerCheck(
                "replicas",
                online >= needed,
                f"{online} at work, {needed} must hold a hit (LUOT_REDIS_REPLICAS)",
                "start those that are missing: until then hits wait in the spool of ingest, and no"
                " number grows",
            )
        ]
    if online:
        return [ServerCheck("replicas", True, f"{online} at work, and hits do not wait for them")]
    return []
