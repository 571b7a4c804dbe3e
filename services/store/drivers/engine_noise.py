"""Keeps a stack trace of the embedded engine off stderr, where it would bury other output."""

import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_log = logging.getLogger(__name__)

# It is not an error: the engine goes on without. No option of the engine turns it off.
_TRACE = re.compile(rb"Cannot use cgroups reader: .*?\n \(version [^\n]*\)\n?", re.DOTALL)
_CGROUPS = Path("/sys/fs/cgroup")

_lock = threading.Lock()
_opened = False


@contextmanager
def without_cgroup_trace() -> Iterator[None]:
    """Open the engine for the first time in a process; all its other output is shown."""
    global _opened
    with _lock:
        if _opened or has_cgroups():
            yield
            _opened = True
            return
        _opened = True
        _log.info("the embedded engine reads no cgroups here; it goes by the machine's memory")
        with tempfile.TemporaryFile() as caught:
            sys.stderr.flush()
            stderr = os.dup(2)
            os.dup2(caught.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
                caught.seek(0)
                if rest := _TRACE.sub(b"", caught.read()):
                    os.write(2, rest)


def has_cgroups(root: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> bool:
    """Tell whether the kernel reports the memory use of a control group, in v1 or v2."""
    try:
        groups = own.read_text().splitlines()
    except OSError:
        groups = []
    folders = [root / line.removeprefix("0::/") for line in groups if line.startswith("0::/")]
    known = {place for folder in folders for place in (folder, *folder.parents)}
    return (root / "memory" / "memory.stat").exists() or any(
        (place / "memory.current").exists() for place in known if place.is_relative_to(root)
    )
