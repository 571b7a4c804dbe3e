"""A backup on disk: compressed JSON lines, and a manifest that is written last."""

import errno
import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec

from services import __version__
from services.runtime.reasons import reason
from services.store.dumps.portable import End, Fingerprint, Piece

MANIFEST = "manifest.json"
FORMAT = 1
ROWS_AT_ONCE = 50_000

_COMPRESSION = 3
_CHUNK_BYTES = 1 << 20
_NAME = re.compile(r"[a-z0-9_-]{1,100}\.jsonl\.gz")

Progress = Callable[[int], None]
"""Called with the number of rows done since the last call."""


class BackupError(Exception):
    """A backup that cannot be written, read or used; the message names file, value and remedy."""


class File(msgspec.Struct, frozen=True):
    """One file: the rows of a table, or of a month of it.

    fingerprint   sum of the 64-bit BLAKE2b hashes of its lines, independent of their order
    """

    name: str
    table: str
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str
    fingerprint: str


class Manifest(msgspec.Struct, frozen=True):
    """The contents of a backup.

    positions   partition → position of the log; the backup has every hit before it, and no other
    """

    format: int
    luot: str
    begun_at: datetime
    ended_at: datetime
    schema: int
    partitions: int
    positions: dict[int, int]
    files: list[File]

    @property
    def rows(self) -> int:
        """How many rows all files hold."""
        return sum(file.rows for file in self.files)


class FolderWriter:
    """Writes pieces into a new folder; it is a backup only after `finish`."""

    def __init__(self, path: Path) -> None:
        """Create the folder. Raises BackupError when it is not empty."""
        self.path = path
        self._begun = datetime.now(UTC)
        self._files: list[File] = []
        self._open: _OpenFile | None = None
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if any(path.iterdir()):
                raise BackupError(f"{path} is not empty; expected a new or an empty folder")
        except OSError as error:
            raise BackupError(f"{path} cannot be used: {error.strerror}") from None

    def add(self, piece: Piece) -> None:
        """Write rows. Raises BackupError when they cannot be written."""
        try:
            if self._open is None or self._open.file != piece.file:
                self._close_file()
                self._open = _OpenFile(self.path, piece)
            self._open.write(piece)
        except OSError as error:
            raise BackupError(f"{self.path} cannot be written: {error.strerror}") from error

    def finish(self, end: End) -> Manifest:
        """Close the last file and write the manifest atomically."""
        try:
            self._close_file()
            manifest = Manifest(
                FORMAT,
                __version__,
                self._begun,
                datetime.now(UTC),
                end.schema,
                end.partitions,
                end.positions,
                self._files,
            )
            text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
            temporary = self.path / f".{MANIFEST}.new"
            with temporary.open("wb") as file:
                file.write(text + b"\n")
                _sync(file)
            temporary.rename(self.path / MANIFEST)
            sync_folder(self.path)
        except OSError as error:
            raise BackupError(f"{self.path} cannot be written: {error.strerror}") from error
        return manifest

    def close(self) -> None:
        """Close the open file, if any; without `finish` there is no backup."""
        if self._open is not None:
            self._open.abandon()
            self._open = None

    def _close_file(self) -> None:
        if self._open is not None:
            self._files.append(self._open.close())
            self._open = None


class _OpenFile:
    def __init__(self, folder: Path, piece: Piece) -> None:
        self.file = piece.file
        self._first = piece
        self._path = folder / f"{piece.file}.jsonl.gz"
        self._raw = self._path.open("xb")
        # Without a timestamp, the same rows give the same file.
        self._gzip = gzip.GzipFile("", "wb", _COMPRESSION, self._raw, mtime=0)
        self._fingerprint = Fingerprint()

    def write(self, piece: Piece) -> None:
        self._gzip.write(piece.lines)
        self._fingerprint.add(piece.lines)

    def close(self) -> File:
        self._gzip.close()
        _sync(self._raw)
        self._raw.close()
        return File(
            self._path.name,
            self._first.table,
            self._first.columns,
            self._fingerprint.rows,
            self._path.stat().st_size,
            _sha256(self._path),
            str(self._fingerprint),
        )

    def abandon(self) -> None:
        # On a full disk, closing fails as well.
        with suppress(OSError):
            self._gzip.close()
        with suppress(OSError):
            self._raw.close()


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a backup. Raises BackupError if none in a known format exists."""
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise BackupError(
            f"{folder} has no {MANIFEST}: it is no backup, or one that was not completed"
        ) from None
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}") from None
    try:
        version = msgspec.json.decode(text, type=_Version).format
        if version != FORMAT:
            raise BackupError(f"{path}: format {version}; this Luot knows format {FORMAT}")
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{path} is not a manifest: {error}") from None
    for file in manifest.files:
        if not _NAME.fullmatch(file.name):
            raise BackupError(f"{path} names the file {file.name!r}; expected <name>.jsonl.gz")
    return manifest


class _Version(msgspec.Struct):
    format: int


def check(folder: Path, manifest: Manifest, progress: Progress) -> None:
    """Check that every file is as it was written. Raises BackupError."""
    for file in manifest.files:
        path = folder / file.name
        digest, rows = hashlib.sha256(), 0
        unpack = zlib.decompressobj(wbits=31)
        try:
            with path.open("rb") as raw:
                while chunk := raw.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    ended = unpack.decompress(chunk).count(b"\n")
                    rows += ended
                    progress(ended)
            whole = unpack.eof
        except FileNotFoundError:
            raise BackupError(f"{path} is missing; the manifest names it") from None
        except OSError as error:
            raise BackupError(f"{path} cannot be read: {error.strerror}") from None
        except zlib.error:
            whole = False
        if not whole or digest.hexdigest() != file.sha256:
            raise BackupError(
                f"{path} is damaged: its SHA-256 is not the {file.sha256} of the manifest;"
                " restore another copy of the backup"
            )
        if rows != file.rows:
            raise BackupError(f"{path} holds {rows} rows; the manifest says {file.rows}")


def lines(folder: Path, file: File) -> Iterator[bytes]:
    """Yield the rows of a file, some thousand lines at a time. Raises BackupError."""
    try:
        with gzip.open(folder / file.name, "rb") as unpacked:
            while chunk := list(islice(unpacked, ROWS_AT_ONCE)):
                yield b"".join(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise BackupError(f"{folder / file.name} cannot be read: {reason(error)}") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Sync the entries of a folder to disk, if its file system can; some network ones cannot."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
