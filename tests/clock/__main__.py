"""Tests at another time of day: `python -m tests.clock 2027-12-31T23:59:40+07:00 tests/…`.

Everything that pytest starts tells the time from there on. With --each, each test begins at that
time of day, a day after the one before it: whatever a test does, it does while a day ends.
"""

import argparse
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.clock import moved
from tests.require import installed

_SOURCE = Path(__file__).with_name("moved.c")


def environ_of(at: datetime, folder: Path) -> dict[str, str]:
    """Return the variables of processes for which it is that time now; with files in a folder."""
    library, file = folder / "moved.so", folder / "moved"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, _SOURCE], check=True)
    moved.write(file, at)
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        moved.FILE: str(file),
        moved.BEGIN: at.isoformat(),
        # In the folder that all share, pytest removes what is three days old: that of others, now.
        "PYTEST_DEBUG_TEMPROOT": str(folder),
    }


def main() -> int:
    """Run pytest at that time; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.clock", description=__doc__)
    parser.add_argument(
        "time", type=datetime.fromisoformat, help="for example 2028-02-29T23:59+07:00"
    )
    parser.add_argument("--each", action="store_true", help="start each test at that time of day")
    given, arguments = parser.parse_known_args()
    if given.time.tzinfo is None:
        parser.error(f"{given.time} is the time of no place: expected one such as 23:59+07:00")
    if installed("cc") is None:
        parser.error("cc, a compiler for C, is not installed: apt install gcc libc6-dev")
    with TemporaryDirectory(prefix="luot-clock-") as folder:
        # Of several processes of tests, each would move the clock of the others.
        each = ["-p", "tests.clock.moved", "-p", "no:xdist"] if given.each else []
        command = [sys.executable, "-m", "pytest", *each, *arguments]
        return subprocess.call(command, env=environ_of(given.time, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
