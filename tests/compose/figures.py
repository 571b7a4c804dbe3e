"""Memory and processor time of each container, as the kernel counts them."""

import time
from typing import NamedTuple

from tests.compose.daemon import Daemon
from tests.compose.project import Project


class Reading(NamedTuple):
    """What containers have used by a moment.

    at       seconds of the clock
    seconds  processor seconds so far, by service; '' is the daemon with what it starts for checks,
             where that can be measured
    memory   bytes now, without what the kernel can give away, by service
    """

    at: float
    seconds: dict[str, float]
    memory: dict[str, int]


def read(project: Project) -> Reading:
    """Read what every container of a project has used."""
    daemon: Daemon = project.daemon
    seconds, memory = {}, {}
    if (own := daemon.own_seconds()) is not None:
        seconds[""] = own
    at = time.monotonic()
    for name, container in project.running().items():
        found = daemon.stats(container)
        seconds[name] = found["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
        details = found["memory_stats"]["stats"]
        # Of the file cache, what nobody uses goes as soon as somebody needs the room.
        idle = details.get("total_inactive_file", details.get("inactive_file", 0))
        memory[name] = found["memory_stats"]["usage"] - idle
    return Reading(at, seconds, memory)


class Used(NamedTuple):
    """What a service used in a time: a share of one core, and bytes at its end."""

    share: float
    memory: int


def between(before: Reading, after: Reading) -> dict[str, Used]:
    """Return what each service used between two readings."""
    passed = after.at - before.at
    return {
        name: Used((seconds - before.seconds.get(name, 0)) / passed, after.memory.get(name, 0))
        for name, seconds in after.seconds.items()
    }


def table(columns: dict[str, dict[str, Used]], limits: dict[str, int]) -> str:
    """Return figures as a table of Markdown, a column a time and a line a service."""
    names = [name for name in limits if any(name in used for used in columns.values())]
    lines = [
        "| container | limit | " + " | ".join(f"memory, {one} | core, {one}" for one in columns),
        "|---|---" + "|---|---" * len(columns),
    ]
    for name in names:
        cells = [
            f"{used[name].memory / 1e6:.0f} MB | {used[name].share:.1%}"
            if name in used
            else "– | –"
            for used in columns.values()
        ]
        lines.append(f"| {name} | {limits[name] >> 20} MiB | {' | '.join(cells)}")
    sums = [
        f"**{sum(one.memory for name, one in used.items() if name) / 1e6:.0f} MB** |"
        f" **{sum(one.share for name, one in used.items() if name):.1%}**"
        for used in columns.values()
    ]
    lines.append(f"| all | {sum(limits[name] for name in names) >> 20} MiB | {' | '.join(sums)}")
    docker = [
        f"| {used[''].share:.1%}" if "" in used else "| not measured" for used in columns.values()
    ]
    lines.append(f"| Docker itself, with health checks | | {' | '.join(docker)}")
    return "\n".join(f"{line} |" for line in lines)
