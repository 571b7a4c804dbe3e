"""The register of imported access logs: what was begun, done and undone, kept for good."""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from services.store.interface import Row, Store

_DONE_VERSION = 1 << 62
_GENERATION_VERSIONS = 1 << 52
"""Versions per generation: more than there are lines, plus one for each further state."""
MAX_GENERATION = 1000


class ImportState(IntEnum):
    """The state of an import."""

    BEGUN = 0
    DONE = 1
    UNDOING = 2
    """No more of it goes into the log; it is undone once all that is there is counted."""
    UNDONE = 3


class Import(NamedTuple):
    """One file of one site.

    digest      SHA-256 of its content, in hex
    done        an ImportState
    taken       line up to which all pages were in the log, at least; 0 at first
    hits        pages of it in the log by then
    file        its name, for people
    host        host name of its pages
    until       lines of that time and later are left out, ms since 1970; 0 for none
    lines       how many it has
    first_at    time of its first line, ms since 1970; so is last_at
    author      who started it, and begun_at when
    at          when this was written
    generation  how often it was undone before
    kept_apart  1 when the store knows what it added, so that it can be undone
    undone_by   who undid it, and undone_at when that was begun
    """

    digest: str
    done: int
    taken: int
    hits: int
    file: str
    host: str
    until: int
    lines: int
    first_at: int
    last_at: int
    author: str
    begun_at: int
    at: int
    generation: int = 0
    kept_apart: int = 0
    undone_by: str = ""
    undone_at: int = 0

    @property
    def state(self) -> ImportState:
        """Return its state."""
        return ImportState(self.done)

    @property
    def can_be_undone(self) -> bool:
        """Whether it counts, and the store knows what it added."""
        return bool(self.kept_apart) and self.state is not ImportState.UNDONE

    @property
    def name(self) -> str:
        """Its key in the log: a different one each time the import is repeated."""
        return f"{self.digest}.{self.generation}" if self.generation else self.digest

    @property
    def version(self) -> int:
        """Orders writes: later states outrank earlier ones, and more lines outrank fewer."""
        first = _DONE_VERSION + self.generation * _GENERATION_VERSIONS if self.generation else 0
        if self.state is ImportState.BEGUN:
            return first + self.taken
        done = first + _GENERATION_VERSIONS // 2 if self.generation else _DONE_VERSION
        return done + self.done - ImportState.DONE


_COLUMNS = ", ".join(f"argMax({name}, version) AS newest_{name}" for name in Import._fields[1:])
_ROWS = f"""
SELECT digest, {_COLUMNS}
FROM imports
WHERE site = %(site)s {{narrowed}}
GROUP BY digest
ORDER BY newest_begun_at, digest
"""  # noqa: S608  # names of ours
_ALL = _ROWS.format(narrowed="")
_ONE = _ROWS.format(narrowed="AND digest = %(digest)s")


async def write(store: Store, site: str, known: Import) -> None:
    """Write what is known of an import. Raises StoreError."""
    columns = {name: [value] for name, value in known._asdict().items()}
    await store.insert("imports", {"site": [site], "version": [known.version], **columns})


async def find(store: Store, site: str, digest: str) -> Import | None:
    """Return what is known of one file; None for one that was never begun. Raises StoreError."""
    imports = _read(await store.execute(_ONE, {"site": site, "digest": digest}))
    return imports[0] if imports else None


async def of_site(store: Store, site: str) -> list[Import]:
    """Return every import of a site, oldest first. Raises StoreError."""
    return _read(await store.execute(_ALL, {"site": site}))


def _read(rows: Sequence[Row]) -> list[Import]:
    return [Import(*row) for row in rows]
