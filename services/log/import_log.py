"""The log's side of an import: chunks of an access log, each appended once, in order.

Every coroutine here raises LogError when the log is out of reach or refuses.
"""

from abc import ABC, abstractmethod
from enum import IntEnum

import msgspec


class ImportOutcome(IntEnum):
    """The outcome of appending a chunk of an import."""

    APPENDED = 1
    REPEATED = 0
    """These lines were appended before."""
    LOST = -1
    """The log knows nothing of this import."""
    OUT_OF_ORDER = -2
    """The chunk does not continue where the log is: it leaves a gap, or overlaps."""
    SEALED = -3
    """The import is being undone: nothing more of it is accepted."""


class ImportProgress(msgspec.Struct, frozen=True):
    """How far an import has got.

    taken     line up to which all pages are in the log
    hits      how many those were
    position  of the last entry; None before the first
    salt      '' once it is forgotten: the import is done
    """

    taken: int
    hits: int
    position: int | None
    salt: str


class ImportLog(ABC):
    """Appends chunks, and knows how far each import has got."""

    @abstractmethod
    async def begin(self, site: str, digest: str) -> ImportProgress:
        """Start an import, or return one that was started before."""

    @abstractmethod
    async def find(self, site: str, digest: str) -> ImportProgress | None:
        """Return how far an import has got; None when the log knows nothing of it."""

    @abstractmethod
    async def append(
        self, site: str, digest: str, after: int, upto: int, hits: int, payload: bytes
    ) -> tuple[ImportOutcome, int]:
        """Append the pages of the lines after `after`, up to `upto`; return the outcome.

        The second value is the line up to which the log now has all pages.
        """

    @abstractmethod
    async def counted(self, site: str, progress: ImportProgress) -> bool:
        """Tell whether everything an import has appended is in the store."""

    @abstractmethod
    async def finish(self, site: str, digest: str) -> None:
        """Forget the salt, and after a while the rest: the store knows that it is done.

        Not at once: a store restored from yesterday's backup does not know it.
        """

    @abstractmethod
    async def seal(self, site: str, digest: str) -> ImportProgress | None:
        """Accept nothing more of an import, ever; return how far it got, None if unknown.

        The next import of the site does not recognise visitors of those before.
        """

    @abstractmethod
    async def busy(self, site: str) -> str | None:
        """Return why nothing more should be appended right now; None when more may be."""
