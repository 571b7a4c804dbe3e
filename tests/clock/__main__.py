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
from tempfile import mkdtemp

from tests.clock import moved
from tests.require import program


def compiled(folder: Path) -> Path:
    """Compile the clock that is preloaded into processes."""
    library = folder / "moved.so"
    source = Path(__file__).with_name("moved.c")
    command = [program("cc", "gcc"), "-O2", "-Wall", "-shared", "-fPIC", "-o", library, source]
    subprocess.run(command, check=True)
    return library


def main() -> None:
    """Become pytest at that time."""
    parser = argparse.ArgumentParser(prog="python -m tests.clock", description=__doc__)
    parser.add_argument("time", type=datetime.fromisoformat, help="such as 2028-02-29T23:59+07:00")
    parser.add_argument("--each", action="store_true", help="each test begins at that time of day")
    arguments, more = parser.parse_known_args()
    at: datetime = arguments.time
    if at.tzinfo is None:
        parser.error(
            f"{at} is the time of no place: expected its distance from UTC, such as +07:00"
        )
    folder = Path(mkdtemp(prefix="luot-clock-"))
    file = folder / "moved"
    moved.write(file, at)
    os.environ |= {"LD_PRELOAD": str(compiled(folder)), moved.FILE: str(file)}
    # pytest removes what others left three days ago in the folder that they share.
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
    # Each process of tests would move the clock of the others.
    each = ["-p", "tests.clock.moved", "-p", "no:xdist"] if arguments.each else []
    os.environ[moved.BEGIN] = at.isoformat()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *each, *more])


if __name__ == "__main__":
    main()
