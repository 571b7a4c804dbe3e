"""What the compose file allows each process."""

from pathlib import Path
from typing import Any

import yaml

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def services() -> dict[str, Any]:
    """Return the services of the compose file by name."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return found


def memory_limits() -> dict[str, int]:
    """Return the bytes that each service of the compose file may have; of two, those of one."""
    found = {}
    for name, service in services().items():
        limit = service["mem_limit"]
        found[name.removesuffix("-1")] = int(limit[:-1]) * UNITS[limit[-1]]
    assert {"redis", "clickhouse", "ingest", "aggregator", "api"} <= found.keys()
    return found


def redis_memory() -> str:
    """Return what the compose file gives the log, as its server's option says it."""
    command: list[str] = services()["redis"]["command"]
    return command[command.index("--maxmemory") + 1]
