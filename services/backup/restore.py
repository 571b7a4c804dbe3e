"""Restores a backup into either kind of store."""

import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import aclosing
from pathlib import Path

from services.backup.folder import BackupError, File, Manifest, Progress, lines
from services.store.dumps import portable, refilling
from services.store.dumps.portable import Fingerprint, Piece
from services.store.interface import Store
from services.store.migrations import fix_partitions, migrate, migrations, partitions_of


async def refuse_misfit(store: Store, manifest: Manifest, partitions: int, replace: bool) -> None:
    """Make sure that a backup fits a store, and bring the store's schema up to date.

    Raises BackupError; then at most the schema was changed.
    """
    newest = max(migration.number for migration in migrations())
    if manifest.schema > newest:
        raise BackupError(
            f"the backup was made by Luot {manifest.luot} with schema {manifest.schema}; this Luot"
            f" knows schemas up to {newest}: restore it with the newer version"
        )
    if partitions != manifest.partitions:
        raise BackupError(
            f"LUOT_PARTITIONS={partitions}, but the backup is of {manifest.partitions} partitions;"
            f" set LUOT_PARTITIONS={manifest.partitions}"
        )
    await migrate(store)
    made_for = await partitions_of(store)
    if made_for not in (None, manifest.partitions):
        raise BackupError(
            f"the store was made for {made_for} partitions, the backup for {manifest.partitions};"
            " restore into a new database"
        )
    filled = await refilling.filled(store)
    if filled and not replace:
        raise BackupError(
            f"the store is not empty (there are rows in {', '.join(filled)}); restore into a new"
            " database, or give --replace to remove everything that is there"
        )


async def restore(store: Store, folder: Path, manifest: Manifest, progress: Progress) -> None:
    """Replace the content of the store with a backup, then read it back and compare every row.

    The backup was checked before. Raises BackupError or StoreError; the store is then marked as
    having an unfinished restore, until one succeeds.
    """
    version = time.time_ns()
    await refilling.empty(store, version)
    await fix_partitions(store, manifest.partitions)
    months: set[int] = set()
    # Visitors come last: what is derived from raw hits is there by then.
    for file in sorted(manifest.files, key=lambda file: file.table == portable.VISITORS):
        if _is_left_out(file):
            progress(2 * file.rows)
            continue
        if file.table == portable.VISITORS:
            for chunk in lines(folder, file):
                months |= refilling.months_in(file.columns, chunk)
            await refilling.clear_visitors(store, months)
        for chunk in lines(folder, file):
            await refilling.insert(store, file.table, file.columns, chunk)
            progress(chunk.count(b"\n"))
    await _verify(store, manifest, months, progress)
    await refilling.note_restore(store, "done", version + 1)


async def _verify(
    store: Store, manifest: Manifest, months: Collection[int], progress: Progress
) -> None:
    """Compare every row; `months` are those of which the backup has the states of visitors."""
    files = {file.name: file for file in manifest.files if not _is_left_out(file)}
    restored: dict[str, Fingerprint] = {}
    async for piece in _pieces(store, manifest.positions, months):
        name = f"{piece.file}.jsonl.gz"
        fingerprint = restored.setdefault(name, Fingerprint())
        fingerprint.add(piece.lines)
        progress(piece.rows)
    for name, file in files.items():
        _compare(file, restored.pop(name, Fingerprint()))
    if extra := [name for name, fingerprint in restored.items() if fingerprint.rows]:
        raise BackupError(f"after the restore the store holds rows of {', '.join(extra)} as well")


def _is_left_out(file: File) -> bool:
    """Return whether an older version wrote a file that must not be restored.

    It says for which days visits were put together, but the backup does not have these visits.
    """
    return file.table in portable.DERIVED


async def _pieces(
    store: Store, positions: Mapping[int, int], months: Collection[int]
) -> AsyncIterator[Piece]:
    async with aclosing(portable.dump(store, positions, visitors_of=months)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Piece):
                yield piece


def _compare(file: File, restored: Fingerprint) -> None:
    if (restored.rows, str(restored)) != (file.rows, file.fingerprint):
        raise BackupError(
            f"after the restore the rows of {file.name} are not those of the backup:"
            f" {restored.rows} rows with fingerprint {restored}, expected {file.rows} with"
            f" {file.fingerprint}. Is something else writing to the store?"
        )
