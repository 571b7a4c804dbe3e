"""Advisory locks on files and folders (flock); they end with the process that holds them."""

import fcntl
from pathlib import Path


def take(descriptor: int) -> bool:
    """Lock an open file or folder; False when another process holds the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Tell whether a file is locked; one that cannot be read counts as unlocked."""
    try:
        with path.open("rb") as file:
            return not take(file.fileno())
    except OSError:
        return False
