"""A stale-if-error copy of the sites on disk, so that ingest can start without Redis.

It holds what the API publishes and the number of partitions, nothing about visitors.
"""

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex

import msgspec

from services.ingest.spool.segment import sync_folder
from services.runtime.json_errors import NOT_JSON
from services.runtime.outage import Outage

_log = logging.getLogger(__name__)


class _Copy(msgspec.Struct):
    partitions: int
    sites: dict[str, msgspec.Raw]


class SitesFile:
    """A small file; all processes that share a spool and a log write the same content.

    Several Luots may share a folder: each has a file, named by a hash of the URL of its log. In
    older versions they all shared one, `sites.json`.
    """

    def __init__(self, folder: Path, partitions: int, log_url: str) -> None:
        name = blake2b(log_url.encode(), digest_size=8).hexdigest()
        self.path = folder / f"sites-{name}.json"
        self._shared = folder / "sites.json"
        self._partitions = partitions
        self._outage = Outage(
            _log,
            f"{self.path}: the copy of the sites cannot be written",
            f"{self.path}: the copy of the sites is written",
        )

    def write(self, sites: Mapping[bytes, bytes]) -> None:
        """Replace the copy atomically. A failure is only logged."""
        temporary = self.path.with_name(f".{self.path.name}.{token_hex(4)}")
        try:
            named = {key.decode(): msgspec.Raw(value) for key, value in sites.items()}
            data = msgspec.json.encode(_Copy(self._partitions, named))
            # A site that is not JSON would make the whole copy unreadable.
            msgspec.json.decode(data, type=_Copy)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            temporary.rename(self.path)
            sync_folder(self.path.parent)
        except (OSError, ValueError, msgspec.DecodeError) as error:
            self._outage.begins(error)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        else:
            self._outage.ends()

    def read(self) -> dict[bytes, bytes] | None:
        """Return the sites as Redis holds them, None when there is no copy for this log."""
        path = self.path if self.path.exists() else self._shared
        try:
            copy = msgspec.json.decode(path.read_bytes(), type=_Copy)
        except FileNotFoundError:
            return None
        except (OSError, *NOT_JSON) as error:
            _log.warning("%s: the copy of the sites cannot be read: %s", path, error)
            return None
        if copy.partitions != self._partitions:
            _log.error(
                "%s is of a log of %d partitions, expected LUOT_PARTITIONS=%d; it is not used",
                path,
                copy.partitions,
                self._partitions,
            )
            return None
        return {slug.encode(): bytes(site) for slug, site in copy.sites.items()}
