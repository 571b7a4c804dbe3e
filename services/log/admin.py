"""Operations on a log as a whole: creating it, and moving it to another one.

A log that is moved is sealed: it accepts no more entries, and what was in doubt is decided. Its
entries are copied with their original position, so that counters, which know their position, skip
what they hold. Readers use that as the position of a copy, except to commit.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from services.log.errors import LogError
from services.model.host_list import split_url

PLACE = "o"
"""Header of a copy: the position of the entry where it was first appended."""
TIME = "t"
"""Header of a copy: its log time there, ms since 1970."""

_MOST = 1 << 63
_DIGITS = 19


class Way(StrEnum):
    """Whether a log is left, or moved into."""

    OUT = "out"
    IN = "in"


class MoveMark(msgspec.Struct, frozen=True):
    """What a log knows of its last move.

    id     the same in both logs
    other  URL of the other one, without a password
    done   whether the new log is now the log
    """

    id: str
    way: Way
    other: str
    done: bool = False


class Copy(msgspec.Struct, frozen=True, gc=False):
    """An entry on its way into another log; see Record."""

    value: bytes
    headers: dict[str, bytes]


class KnownImport(msgspec.Struct, frozen=True):
    """What a log knows of an import; see ImportProgress.

    key        which import: the producer of its entries
    partition  where its entries are; None where that is not known
    seconds    how long it must be remembered at least; None is for good
    """

    key: str
    partition: int | None
    taken: int
    hits: int
    position: int | None
    salt: str
    sealed: bool
    seconds: int | None


class KnownImports(msgspec.Struct, frozen=True):
    """The imports that a log knows of, and the salt of each site's imports."""

    imports: Sequence[KnownImport]
    salts: Mapping[str, str]


class LogAdmin(ABC):
    """See the module. Every coroutine here raises LogError when the log is out of reach."""

    @abstractmethod
    async def make(self) -> list[str]:
        """Create what the log needs on its server; return the names of what was created."""

    @abstractmethod
    async def fits(self) -> None:
        """Create the log; raise LogRefusedError when this server must not hold it."""

    @abstractmethod
    async def mark(self) -> MoveMark | None:
        """Return what is known of the last move."""

    @abstractmethod
    async def set_mark(self, mark: MoveMark | None) -> None:
        """Record the state of a move."""

    @abstractmethod
    async def seal(self) -> None:
        """Accept no more entries; when this returns, none that was in doubt can still arrive."""

    @abstractmethod
    async def unseal(self) -> None:
        """Accept entries again."""

    @abstractmethod
    async def producers(self) -> set[str]:
        """Return the ids of producers whose sequences are remembered."""

    @abstractmethod
    async def remember(self, producer_id: str, sequences: Mapping[int, int]) -> None:
        """Remember a producer's last sequence in each partition; none decreases."""

    @abstractmethod
    async def imports(self) -> KnownImports:
        """Return what is known of imports."""

    @abstractmethod
    async def take_imports(self, known: KnownImports) -> None:
        """Take over what another log knew of imports."""

    @abstractmethod
    async def clear(self, after: int) -> None:
        """Drop every entry; new ones get positions after the given one."""

    @abstractmethod
    async def copy(self, partition: int, copies: Sequence[Copy]) -> int:
        """Append copies, at least one, in order; return the position after the last one.

        A LogError leaves open how many were appended: empty the log before another attempt.
        """


def refuse_moved(mark: MoveMark | None) -> None:
    """Raise LogError while a log accepts nothing because of a move: hits wait in the spool."""
    if mark is None:
        return
    if mark.way is Way.OUT and mark.done:
        raise LogError(f"this log was moved to {mark.other}; set LUOT_LOG_URL to the new one")
    if not mark.done and mark.way is Way.OUT:
        raise LogError(f"the log is being moved to {mark.other}; finish it with luot log move")
    if not mark.done:
        raise LogError(
            f"the log is being moved here from {mark.other}; finish it with luot log move"
        )


def place(headers: Mapping[str, bytes], position: int) -> int:
    """Return where an entry was first appended; `position` is where it is."""
    return _number(headers, PLACE, position)


def time_of(headers: Mapping[str, bytes], ms: int) -> int:
    """Return when an entry was first appended; `ms` is the log time where it is."""
    return _number(headers, TIME, ms)


def _number(headers: Mapping[str, bytes], name: str, otherwise: int) -> int:
    """Return the number in a header of a copy; what somebody else wrote there is none."""
    value = headers.get(name, b"")
    number = int(value) if value.isdigit() and len(value) <= _DIGITS else _MOST
    return number if number < _MOST else otherwise


def copies_of(records: Collection[Any]) -> list[Copy]:
    """Return copies of entries of a log, which may themselves be copies."""
    return [
        Copy(
            record.value,
            {
                **record.headers,
                PLACE: b"%d" % place(record.headers, record.position),
                TIME: b"%d" % record.time_ms,
            },
        )
        for record in records
    ]


def shown(url: str) -> str:
    """Return the URL of a log, without the user, the password and options."""
    parts, netloc = split_url(url)
    return f"{parts.scheme}://{netloc.rpartition('@')[2]}{parts.path}"
