"""A limit of memory that the kernel holds: a control group of its own for each process of a test.

Both kinds of control groups will do, where they may be made: as root, and not in most containers.
Whoever takes more than its limit is killed, as it would be by Docker.
"""

import os
import time
from itertools import count
from pathlib import Path

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")
_NUMBERS = count()
_EMPTY_SECONDS = 20.0


class MemoryGroup:
    """Processes that together may have so many bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Raises OSError where no such group can be made."""
        self._folder = folder
        folder.mkdir()
        try:
            for name in ("memory.limit_in_bytes", "memory.max"):
                if (folder / name).exists():
                    (folder / name).write_text(str(limit))
                    break
            else:
                raise FileNotFoundError(f"{folder} limits no memory")
            for name in ("memory.memsw.limit_in_bytes", "memory.swap.max"):
                if (folder / name).exists():
                    (folder / name).write_text(str(limit if "memsw" in name else 0))
            # Whoever may make a group need not be allowed to move a process into it.
            with (folder / "cgroup.procs").open("a"):
                pass
        except OSError:
            folder.rmdir()
            raise

    @property
    def launcher(self) -> tuple[str, ...]:
        """What stands before a command that is to run in the group from its first byte on."""
        script = f'echo $$ > "{self._folder}/cgroup.procs" && exec "$@"'
        return ("/bin/sh", "-c", script, "sh")

    def killed(self) -> int:
        """Return how many processes were killed because the limit was reached."""
        for name in ("memory.oom_control", "memory.events"):
            path = self._folder / name
            if path.exists():
                counts = dict(line.split() for line in path.read_text().splitlines())
                return int(counts.get("oom_kill", 0))
        return 0

    def remove(self) -> None:
        """Remove the group; its processes have ended, or are about to."""
        deadline = time.monotonic() + _EMPTY_SECONDS
        while True:
            try:
                self._folder.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return


def memory_group(limit: int) -> MemoryGroup | None:
    """Return a new group with that limit in bytes; None where none can be made."""
    name = f"luot-test-{os.getpid()}-{next(_NUMBERS)}"
    for parent in _parents():
        try:
            return MemoryGroup(parent / name, limit)
        except OSError:
            continue
    return None


def _parents() -> list[Path]:
    """Return where a group may be made, first below the one that this process is in."""
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own[controllers] = path.lstrip("/")
    parents = []
    if "memory" in own:
        # As root of a container one sees one's own group at the top.
        parents += [V1 / own["memory"], V1]
    elif "" in own:
        # A group that has processes hands on no controllers; one further up may.
        here = V2 / own[""]
        parents += [here, *(above for above in here.parents if above.is_relative_to(V2))]
    return [parent for parent in parents if parent.is_dir()]
