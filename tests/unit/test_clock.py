"""Tests can be made at another time of day, and what waits there waits as long as anywhere."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

from tests.clock.__main__ import environ_of
from tests.patience import PATIENCE_SECONDS
from tests.require import program

TOLD = """
import pathlib, sys, threading, time
written = pathlib.Path(sys.argv[1])
written.write_text("")
begun = time.monotonic()
time.sleep(0.01)
threading.Event().wait(0.01)
print(time.time(), written.stat().st_mtime, time.monotonic() - begun)
"""


def test_a_process_tells_the_time_it_is_moved_to_and_waits_as_before(tmp_path: Path) -> None:
    program("cc")
    at = datetime.fromisoformat("2028-02-29T23:59:58+07:00")
    told = subprocess.run(
        [sys.executable, "-c", TOLD, tmp_path / "written"],
        env=environ_of(at, tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    now, written, waited = map(float, told.stdout.split())
    assert 0 <= now - at.timestamp() < PATIENCE_SECONDS
    assert abs(now - written) < PATIENCE_SECONDS
    assert 0.02 <= waited < PATIENCE_SECONDS
