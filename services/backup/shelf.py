"""A folder of backups, each in a folder named after the time it was begun."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.backup import folder
from services.backup.folder import MANIFEST, BackupError
from services.backup.rotation import Kept, Rule, superfluous
from services.runtime import file_locks

VERIFIED = "verified"
"""Name of the file in a backup that marks it as restored on trial."""

_LOCK = ".luot-backup.lock"
_PARTIAL = ".partial"
_BAD = ".bad"
_FORMAT = "luot-%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"luot-\d{8}T\d{6}Z")
_OURS = re.compile(
    rf"[a-z0-9_-]{{1,100}}\.jsonl\.gz|\.?{re.escape(MANIFEST)}(\.new)?|\.?{VERIFIED}(\.new)?"
)


class Shelf:
    """Finds, names and removes backups; changes are only allowed while it is `held`."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)):
        self.path = path
        self._clock = clock

    @contextmanager
    def held(self) -> Iterator[None]:
        """Create the folder and lock it. Raises BackupError while another process holds it."""
        path = self.path / _LOCK
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BackupError(
                f"{self.path} cannot be used: {error.strerror}; expected a folder that"
                " this user can write"
            ) from None
        try:
            if not _take(lock, path):
                raise BackupError(
                    f"another backup is being written into {self.path} at this moment; wait for"
                    " it, or choose another folder"
                )
            yield
        finally:
            os.close(lock)

    def backups(self) -> list[Kept]:
        """Return the complete backups, oldest first. Raises BackupError."""
        found = []
        for path in self._named(""):
            try:
                at = datetime.strptime(path.name, _FORMAT).replace(tzinfo=UTC)
                folder.read_manifest(path)
            except (ValueError, BackupError):
                continue
            found.append(Kept(at, path.name, (path / VERIFIED).exists()))
        return sorted(found)

    def newest(self) -> Path:
        """Return the newest complete backup. Raises BackupError if there is none."""
        backups = self.backups()
        if not backups:
            raise BackupError(f"{self.path} holds no backup of Luot")
        return self.path / backups[-1].name

    def begin(self) -> Path:
        """Return a temporary path for a new backup; `complete` gives it its final name.

        Removes the remains of backups that were killed. Raises BackupError.
        """
        for left in self._named(_PARTIAL):
            _remove(left)
        at = self._clock()
        while True:
            path = self.path / (at.strftime(_FORMAT) + _PARTIAL)
            if not path.with_suffix("").exists() and not path.exists():
                return path
            at += timedelta(seconds=1)

    def room(self) -> None:
        """Raise BackupError if there is no room for another backup like the newest one."""
        backups = self.backups()
        if not backups:
            return
        needed = size_of(self.path / backups[-1].name)
        free = _free(self.path)
        if free < needed:
            raise BackupError(
                f"{self.path} has {free:,} bytes free, and the newest backup in it takes"
                f" {needed:,}: make room, or keep fewer backups (--keep)"
            )

    def complete(self, path: Path) -> Path:
        """Give a completely written backup its final name; return its new path."""
        final = _rename(path, path.with_suffix(""))
        try:
            folder.sync_folder(self.path)
        except OSError as error:
            raise BackupError(f"{self.path} cannot be written: {error.strerror}") from None
        return final

    def abandon(self, path: Path) -> None:
        """Remove an unfinished backup, so that it does not fill the disk."""
        if path.exists():
            _remove(path)

    def condemn(self, path: Path) -> Path:
        """Set a bad backup aside, so that it no longer counts; remove the previous bad one."""
        for before in self._named(_BAD):
            _remove(before)
        return _rename(path, path.with_name(path.name + _BAD))

    def rotate(self, rule: Rule) -> tuple[list[Path], list[Path]]:
        """Remove superfluous backups.

        Returns what was removed, and what was left because it contains more than a backup.
        """
        gone, left = [], []
        for backup in superfluous(self.backups(), rule, self._clock()):
            path = self.path / backup.name
            if _foreign(path):
                left.append(path)
                continue
            # A half-removed backup must not be mistaken for a complete one.
            _remove(_rename(path, path.with_name(path.name + _PARTIAL)))
            gone.append(path)
        return gone, left

    def _named(self, suffix: str) -> list[Path]:
        try:
            return sorted(
                path
                for path in self.path.iterdir()
                if path.name.endswith(suffix)
                and _NAME.fullmatch(path.name.removesuffix(suffix))
                and path.is_dir()
                and not path.is_symlink()
            )
        except OSError as error:
            raise BackupError(f"{self.path} cannot be read: {error.strerror}") from None


def size_of(path: Path) -> int:
    """Return the size of the files in a backup, in bytes."""
    return sum(file.stat().st_size for file in path.iterdir())


def note_verified(path: Path, when: datetime) -> None:
    """Mark a backup as restored on trial. Raises OSError; the backup is then unmarked."""
    temporary = path / f".{VERIFIED}.new"
    temporary.write_text(f"{when.isoformat(timespec='seconds')}\n", encoding="ascii")
    temporary.rename(path / VERIFIED)


def _take(lock: int, path: Path) -> bool:
    try:
        return file_locks.take(lock)
    except OSError as error:
        raise BackupError(
            f"{path} cannot be locked: {error.strerror}; expected a file system with locks (flock)"
        ) from None


def _rename(path: Path, to: Path) -> Path:
    try:
        return path.rename(to)
    except OSError as error:
        raise BackupError(f"{path} cannot be renamed to {to.name}: {error.strerror}") from None


def _foreign(path: Path) -> bool:
    """Tell whether a folder contains anything that our backups do not have."""
    try:
        return any(not _OURS.fullmatch(file.name) or file.is_dir() for file in path.iterdir())
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}") from None


def _remove(path: Path) -> None:
    """Remove one of our folders; leave it alone if it contains anything else."""
    try:
        if not _foreign(path):
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
    except OSError as error:
        raise BackupError(f"{path} cannot be removed: {error.strerror}") from None


def _free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
