"""Implements `luot backup`, `luot restore` and `luot rewind`, except for their output."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

from services.backup import folder, rewind
from services.backup.folder import BackupError, FolderWriter, Manifest, Progress
from services.backup.frames import Message
from services.backup.moment import RewindTarget
from services.backup.restore import refuse_misfit, restore
from services.backup.rewind import Step
from services.embedded.stores import Stores
from services.log.errors import LogError
from services.log.interface import Log
from services.state.send_tokens import SendTokens
from services.store.dumps.portable import Begin, End, dump


async def save(
    source: AsyncGenerator[Message, None], path: Path, total: Progress, progress: Progress
) -> Manifest:
    """Write what a source sends into a new folder; `total` is called with the estimated row count.

    Raises BackupError, also when the source ends early.
    """
    writer = FolderWriter(path)
    with contextlib.closing(writer):
        async with aclosing(source) as messages:
            async for message in messages:
                match message:
                    case Begin():
                        total(message.rows)
                    case End():
                        return writer.finish(message)
                    case _:
                        writer.add(message)
                        progress(message.rows)
    raise BackupError(f"the rows ended early; {path} is not a backup, remove it and try again")


async def dump_of(stores: Stores) -> AsyncGenerator[Message, None]:
    """Yield the content of a store that this process can open.

    The log is not needed; if it is available, the backup includes its committed positions.
    """
    try:
        committed = await stores.log.positions.committed()
    except LogError:
        committed = {}
    async with aclosing(dump(stores.store, committed)) as messages:
        async for message in messages:
            yield message


def inspect(path: Path, progress: Progress) -> Manifest:
    """Check that all files of a backup are as they were written; return its manifest."""
    manifest = folder.read_manifest(path)
    folder.check(path, manifest, progress)
    return manifest


async def restore_all(
    stores: Stores,
    path: Path,
    manifest: Manifest,
    *,
    replace: bool,
    with_log: bool,
    progress: Progress,
) -> Sequence[Step]:
    """Restore a backup, and let the aggregator continue from where it ends.

    Returns what the aggregator finds in the log for each partition; nothing without a log. Raises
    BackupError, StoreError, LogInUseError or StateError; LogError, before anything is touched, when
    the log cannot be reached.
    """
    partitions = stores.log.partitions
    await refuse_misfit(stores.store, manifest, partitions, replace)
    if not with_log:
        await restore(stores.store, path, manifest, progress)
        return ()
    positions = stores.log.positions
    async with positions.hold():
        await restore(stores.store, path, manifest, progress)
        await positions.forget_written(len(await stores.store.shards()))
        # The tokens in the restored store are older than those published last.
        await SendTokens(stores.state).forget()
        await positions.set_committed(
            {number: manifest.positions.get(number) for number in range(partitions)}
        )
        return [await rewind.going_on(positions, part) for part in await positions.extents()]


async def rewind_all(log: Log, *, to: RewindTarget | None, dry_run: bool) -> Sequence[Step]:
    """Move committed positions back. Raises BackupError, LogInUseError or LogError."""
    positions = log.positions
    if dry_run:
        return await rewind.plan(positions, await positions.extents(), to)
    async with positions.hold():
        steps = await rewind.plan(positions, await positions.extents(), to)
        moved = {step.partition: step.to or None for step in steps if step.to != step.committed}
        await positions.set_committed(moved)
        return steps


async def newest(log: Log, manifest: Manifest) -> str:
    """Return the log time up to which a backup is complete, as text."""
    try:
        times = [
            await log.positions.time_of(partition, at)
            for partition, at in manifest.positions.items()
            if at
        ]
    except LogError:
        return f"position {max(manifest.positions.values(), default=0)}"
    return rewind.describe(max(times, default=None))
