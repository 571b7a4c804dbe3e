"""The data folder of `luot up`: locked by one Luot, with what commands need to reach it."""

import os
import secrets
from pathlib import Path
from typing import Self

from services.embedded.errors import UpError
from services.runtime import file_locks

TOKEN = "token"  # noqa: S105  # the name of a file
URL = "url"
PLACES = "places.mmdb"
"""The database of countries and provinces, if `luot country` has installed one."""
_LOCK = "lock"


class DataFolder:
    """A folder locked for this process until `close`."""

    def __init__(self, path: Path) -> None:
        """Create the folder if it is missing, and lock it. Raises UpError."""
        self.path = path.absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UpError(
                f"the data folder {self.path} cannot be used: {error.strerror};"
                " expected a folder that can be written, set with --data"
            ) from None
        if not file_locks.take(self._lock):
            owner = os.pread(self._lock, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._lock)
            raise UpError(
                f"the data folder {self.path} is in use by another `luot up` (process {owner});"
                " stop that one, or choose another folder with --data"
            )
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder."""
        os.close(self._lock)

    @property
    def is_new(self) -> bool:
        """Whether no start has completed here yet."""
        return not (self.path / TOKEN).exists()

    def token(self) -> str:
        """Return the admin token of this folder, or a new one that is not written yet."""
        return read(self.path, TOKEN) or secrets.token_urlsafe(32)

    def write(self, name: str, text: str) -> None:
        """Write a small file atomically, readable only by its owner."""
        temporary = self.path / f".{name}.new"
        try:
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(descriptor)
            temporary.rename(self.path / name)
        except OSError as error:
            raise UpError(f"{self.path / name} cannot be written: {error.strerror}") from None


def read(folder: Path, name: str) -> str | None:
    """Return the content of a file that `luot up` wrote to its folder; None if there is none."""
    try:
        return (folder / name).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def in_use(folder: Path) -> bool:
    """Return whether a `luot up` is running on this folder."""
    return file_locks.is_held(folder / _LOCK)
