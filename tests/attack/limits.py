"""What the compose file allows each process."""

import re
from pathlib import Path

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def memory_limits() -> dict[str, int]:
    """Return the bytes that each service of the compose file may have, by its name."""
    services = COMPOSE.read_text().partition("\nservices:\n")[2]
    found = {}
    for block in re.split(r"\n(?=  \w)", "\n" + services):
        name, limit = re.match(r"\s*(\w+):", block), re.search(r"\n    mem_limit: (\d+)(\w)", block)
        if name and limit:
            found[name[1]] = int(limit[1]) * UNITS[limit[2]]
    assert {"redis", "clickhouse", "ingest", "aggregator", "api"} <= found.keys()
    return found


def redis_memory() -> str:
    """Return what the compose file gives the log, as its server's option says it."""
    found = re.search(r"--maxmemory\n\s+- (\w+)", COMPOSE.read_text())
    assert found
    return found[1]
