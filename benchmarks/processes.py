"""What processes cost: processor time and memory, read from /proc; and the core they run on."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from tests.require import program

_TICK = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_SCHEDULED = 2
"""Which clock of a process: the time that the scheduler gave it (CPUCLOCK_SCHED of Linux)."""

SERVER_CORE = 0
"""Where the process under measurement runs, alone among those that a benchmark starts."""
CLIENT_CORE = 1
"""Where everything else runs: the client, Redis, the server of ClickHouse."""


class Memory(msgspec.Struct, frozen=True):
    """Memory of a process in bytes; `shared` out among the processes that map the same pages."""

    resident: int
    proportional: int


def cpu_seconds(*pids: int) -> float:
    """Return the processor time that processes have used, in user mode and in the kernel."""
    return sum(_cpu_ticks(pid) for pid in pids) / _TICK


def cpu_clock(pid: int) -> float:
    """Return the same of one process in finer steps: its own clock, see clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | _SCHEDULED)


def _cpu_ticks(pid: int) -> int:
    # The name of the program, in parentheses, may hold anything; utime and stime are fields 14, 15.
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def memory(pid: int) -> Memory:
    """Return the memory of a process."""
    found = {}
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) * 1024
    return Memory(found["Rss"], found["Pss"])


def forget_peak(pid: int) -> None:
    """Let `peak` begin anew."""
    (_PROC / str(pid) / "clear_refs").write_text("5")


def peak(pid: int) -> int:
    """Return the most memory that a process was resident with, in bytes."""
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "VmHWM":
            return int(rest.split()[0]) * 1024
    raise ValueError(f"process {pid} has ended")


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children = [
        int(child)
        for task in (_PROC / str(pid) / "task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [pid, *(descendant for child in children for descendant in tree(child))]


def pin(pid: int, core: int) -> None:
    """Keep all threads of a process, and those they start later, on one core.

    A machine of one core has nothing to choose.
    """
    cores = sorted(os.sched_getaffinity(0))
    for task in (_PROC / str(pid) / "task").iterdir():
        os.sched_setaffinity(int(task.name), {cores[core % len(cores)]})


def run_pinned(module: str, *arguments: str) -> str:
    """Run a module on the core that is measured; return what it printed. Raises RuntimeError."""
    done = subprocess.run(
        [
            *(program("taskset"), "--cpu-list", str(SERVER_CORE)),
            *(sys.executable, "-m", module, *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed: {done.stderr}")
    return done.stdout


def spread(pid: int) -> None:
    """Let a process run on every core: who asks waits, and does nothing else."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        # Threads of Java come and go.
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), range(os.cpu_count() or 1))
