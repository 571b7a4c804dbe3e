"""Salts that outlive the process, in the machine's memory and never on disk."""

import logging
import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex

from services.runtime.outage import Outage

_log = logging.getLogger(__name__)

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
# Of this process: /proc/mounts is missing where systemd shows only processes (ProcSubset=pid).
_MOUNTS = Path("/proc/self/mounts")


def default_folder() -> Path:
    """Return this user's folder in the machine's shared memory."""
    return Path(f"/dev/shm/luot-{os.getuid()}")  # noqa: S108 - made for us alone, mode 0700


def is_in_memory(folder: Path) -> bool:
    """Tell whether a folder is on a file system in memory."""
    deepest = ""
    kind = ""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    for line in mounts:
        _, point, type_of, *_ = line.split(" ")
        if folder.resolve().is_relative_to(point) and len(point) >= len(deepest):
            deepest, kind = point, type_of
    return kind in _IN_MEMORY


def _make(folder: Path) -> None:
    """Make a private folder. Raises OSError when it belongs to another user."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if (owner := folder.stat().st_uid) != os.getuid():
        raise OSError(f"{folder} belongs to user {owner}")


class SaltMemory:
    """One small file per site and day, shared by the ingest processes of one log on one machine.

    So a process that is restarted while Redis is down continues with the salt that the others use.
    A folder that is not in memory, or cannot be written, is not used: that is reported once, and
    only makes visits inexact when Redis and a process fail at the same time.
    """

    def __init__(self, folder: Path, log_url: str) -> None:
        # One folder per log; its name reveals neither address nor password of the URL.
        name = blake2b(log_url.encode(), digest_size=8).hexdigest()
        self._folder: Path | None = folder / name
        self._outage = Outage(_log, "a salt cannot be kept in memory", "salts are kept in memory")
        try:
            _make(self._folder)
            if not is_in_memory(self._folder):
                raise OSError("it is not in memory (tmpfs)")
        except OSError as error:
            _log.warning("salts are not kept in %s: %s", folder, error)
            self._folder = None

    def get(self, site: str, day: int) -> bytes | None:
        """Return the salt of a site's day, None when there is none."""
        if self._folder is None:
            return None
        with suppress(OSError):
            return self._path(self._folder, site, day).read_bytes() or None
        return None

    def offer(self, site: str, day: int, salt: bytes) -> bytes:
        """Store a salt unless there is one already; return the stored one."""
        self._write(site, day, salt, replace=False)
        return self.get(site, day) or salt

    def put(self, site: str, day: int, salt: bytes) -> None:
        """Store the salt that is shared through Redis, replacing any other."""
        if self.get(site, day) != salt:
            self._write(site, day, salt, replace=True)

    def forget(self, oldest: int) -> None:
        """Delete the salts of every day before this one."""
        if self._folder is None:
            return
        # The folder may vanish: cleaners of temporary folders know nothing of salts.
        with suppress(OSError):
            for path in list(self._folder.iterdir()):
                _, _, day = path.name.rpartition("@")
                if not day.isdecimal() or int(day) < oldest:
                    path.unlink(missing_ok=True)

    def _write(self, site: str, day: int, salt: bytes, *, replace: bool) -> None:
        if self._folder is None:
            return
        path = self._path(self._folder, site, day)
        # Written to a temporary file first, so that nobody reads half a salt. A hard link fails
        # if the file exists already.
        aside = self._folder / f"{token_hex(4)}.new@{day}"
        try:
            _make(self._folder)
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(salt)
            if replace:
                aside.replace(path)
            else:
                with suppress(FileExistsError):
                    path.hardlink_to(aside)
        except OSError as error:
            self._outage.begins(error)
        else:
            self._outage.ends()
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)

    @staticmethod
    def _path(folder: Path, site: str, day: int) -> Path:
        return folder / f"{site}@{day}"
