"""Which paths of a site have a history: read from shared state, with copies in memory and on disk.

So a page that was ever counted is known from a process's first hit, even while Redis is down. What
is here is a copy of what the aggregator publishes, and may be lost at any time.
"""

import asyncio
import logging
import os
from array import array
from collections.abc import Collection
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex

from services.model.path_digest import DIGEST_BYTES, holds
from services.runtime.clock import Clock
from services.runtime.outage import Outage
from services.state import path_history
from services.state.path_history import MOST_BYTES, PathHistories
from services.state.state import State

_log = logging.getLogger(__name__)

LOOK_MS = 30_000
"""How often shared state is asked for newer histories."""
_LARGEST_BYTES = DIGEST_BYTES * path_history.MOST_A_SITE + 64
_NONE = array("Q")


class PathMemory:
    """The histories of the sites whose days are open: at most MOST_BYTES in all."""

    def __init__(self, state: State, spool: Path, log_url: str, clock: Clock) -> None:
        self._shared = PathHistories(state)
        # Several Luots may share a folder: each has its own, as with the copy of the sites.
        name = blake2b(log_url.encode(), digest_size=8).hexdigest()
        self._folder = spool / f"histories-{name}"
        self._clock = clock
        self._outage = Outage(
            _log,
            "a history of paths cannot be kept on the disk",
            "histories of paths are kept on the disk",
        )
        self._digests: dict[str, array[int]] = {}
        self._versions: dict[str, bytes] = {}
        self._looked = 0
        self._full = False

    def holds(self, site: str, digest: int) -> bool:
        """Tell whether a path has a history."""
        return holds(self._digests.get(site, _NONE), digest)

    async def open(self, site: str) -> None:
        """Load the history of a site into memory, if there is one. Raises StateError."""
        if site not in self._digests:
            await self._take(site, await self._shared.read(site))
            await self.recall(site)

    async def recall(self, site: str) -> None:
        """Read the copy on this disk, unless a history is in memory."""
        if site not in self._digests:
            published = await asyncio.to_thread(self._read, site)
            self._keep(site, published)

    async def refresh(self) -> None:
        """Read what was published since, now and then. Raises StateError."""
        now = self._clock()
        if now - self._looked < LOOK_MS:
            return
        self._looked = now
        sites = list(self._versions)
        if not sites:
            return
        for site, version in (await self._shared.versions(sites)).items():
            # That the server has lost it is no reason to forget it.
            if version and version != self._versions.get(site):
                await self._take(site, await self._shared.read(site))

    def keep_only(self, sites: Collection[str]) -> None:
        """Forget the histories of other sites; their copies on the disk stay."""
        for site in self._versions.keys() - sites:
            del self._versions[site]
            self._digests.pop(site, None)

    async def _take(self, site: str, published: bytes) -> None:
        if published and self._keep(site, published):
            await asyncio.to_thread(self._write, site, published)

    def _keep(self, site: str, published: bytes) -> bool:
        """Hold a history in memory; False when it is not one, or there is no room."""
        self._versions.setdefault(site, b"")
        digests = path_history.decode(published) if len(published) <= _LARGEST_BYTES else None
        if not published or digests is None:
            return False
        others = sum(len(one) for slug, one in self._digests.items() if slug != site)
        if (others + len(digests)) * DIGEST_BYTES > MOST_BYTES:
            if not self._full:
                _log.error("the histories of paths take more than %d MB", MOST_BYTES >> 20)
            self._full = True
            self._versions[site] = path_history.version_of(published)
            return False
        self._digests[site] = digests
        self._versions[site] = path_history.version_of(published)
        return True

    def _read(self, site: str) -> bytes:
        try:
            return (self._folder / site).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            _log.warning("the copy of a history of paths cannot be read: %s", error)
            return b""

    def _write(self, site: str, published: bytes) -> None:
        """Replace the copy of a site. One torn by a crash does not decode as a history."""
        temporary = self._folder / f".{site}.{token_hex(4)}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(published)
            temporary.rename(self._folder / site)
        except OSError as error:
            self._outage.begins(error)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        else:
            self._outage.ends()
