"""The register of imported access logs: what was begun and what was done, kept for good."""

from collections.abc import Sequence
from typing import NamedTuple

from services.store.interface import Row, Store

_DONE_VERSION = 1 << 62


class Import(NamedTuple):
    """One file of one site.

    digest    SHA-256 of its content, in hex
    done      1 when all of it is counted
    taken     line up to which all pages were in the log, at least; 0 at first
    hits      pages of it in the log by then
    file      its name, for people
    host      host name of its pages
    until     lines of that time and later are left out, ms since 1970; 0 for none
    lines     how many it has
    first_at  time of its first line, ms since 1970; so is last_at
    author    who began it, and begun_at when
    at        when this was written
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

    @property
    def version(self) -> int:
        """Orders writes: done outranks begun, and more lines outrank fewer, whoever writes last."""
        return _DONE_VERSION if self.done else self.taken


_COLUMNS = ", ".join(f"argMax({name}, version)" for name in Import._fields[1:-2])
_ROWS = f"""
SELECT digest, {_COLUMNS}, min(begun_at) AS begun, argMax(at, version)
FROM imports
WHERE site = %(site)s {{narrowed}}
GROUP BY digest
ORDER BY begun, digest
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
    """Return every import of a site, the oldest first. Raises StoreError."""
    return _read(await store.execute(_ALL, {"site": site}))


def _read(rows: Sequence[Row]) -> list[Import]:
    return [Import(*row) for row in rows]
