"""The control groups of the attacks hold their limits; where there are none, peaks are measured."""

import subprocess
import sys

import pytest

from tests.servers.memory_group import memory_group


def test_who_takes_more_than_its_limit_is_killed() -> None:
    group = memory_group(64 << 20)
    if group is None:
        # Even where everything is required: no package brings them.
        pytest.skip("no control groups can be made here")
    try:
        for megabytes, code in ((8, 0), (256, -9)):
            command = [sys.executable, "-c", f"bytearray({megabytes} << 20)"]
            done = subprocess.run([*group.launcher, *command], check=False, timeout=120)
            assert done.returncode == code
            assert group.killed() == (code != 0)
    finally:
        group.remove()
