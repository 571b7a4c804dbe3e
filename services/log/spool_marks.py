"""Which log a spool belongs to: a small file beside each folder of `LUOT_SPOOL`.

Several Luots on one machine may share a folder. A mark beside the folder, not in it, leaves the
folder to versions that know nothing of marks.
"""

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

_SUFFIX = ".log"
_LONGEST = 64


def mark(folder: Path) -> Path:
    """Return the file that marks a folder."""
    return folder.with_name(folder.name + _SUFFIX)


def read(path: Path) -> str | None:
    """Return the log that a file names; None without one. Raises OSError."""
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return file.read(_LONGEST).strip() or None
    except FileNotFoundError:
        return None


def write(path: Path, identity: str) -> None:
    """Write the name of a log to a file, durably and atomically. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{identity}\n")
            file.flush()
            os.fsync(descriptor)
        temporary.rename(path)
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def others(root: Path, identity: str) -> dict[Path, str]:
    """Return the folders of a spool that belong to other logs, with those logs. Raises OSError."""
    return {
        path: log
        for path in root.iterdir()
        if path.is_dir() and (log := read(mark(path))) not in (None, identity) and log
    }
