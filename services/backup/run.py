"""What `luot backup`, `luot restore` and `luot rewind` do, apart from talking."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.backup import folder, rewind
from services.backup.folder import BackupError, FolderWriter, Manifest, Progress
from services.backup.restore import refuse_misfit, restore
from services.backup.rewind import Step
from services.backup.wire import Message
from services.embedded.stores import Stores
from services.log import reach
from services.store.portable import Begin, End, dump


async def save(
    source: AsyncGenerator[Message, None], path: Path, total: Progress, progress: Progress
) -> Manifest:
    """Write what a source sends into a new folder; `total` is told how many rows come, about.

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


async def dump_of(stores: Stores, group: str) -> AsyncGenerator[Message, None]:
    """Read a store that this process may open. The log is not needed, but told from if there."""
    try:
        committed = await reach.commits(stores.redis, group)
    except (RedisError, OSError):
        committed = {}
    async with aclosing(dump(stores.store, committed)) as messages:
        async for message in messages:
            yield message


def inspect(path: Path, progress: Progress) -> Manifest:
    """Return the manifest of a backup whose files are all as they were written."""
    manifest = folder.read_manifest(path)
    folder.check(path, manifest, progress)
    return manifest


async def restore_all(
    stores: Stores,
    path: Path,
    manifest: Manifest,
    *,
    group: str,
    partitions: int,
    replace: bool,
    with_log: bool,
    progress: Progress,
) -> Sequence[Step]:
    """Restore, and let the aggregator go on from where the backup ends.

    Returns what it finds in the log for each partition; nothing without a log. Raises
    BackupError, StoreError, reach.HeldError, or redis.exceptions.RedisError before anything is
    touched when there is no log to be reached.
    """
    await refuse_misfit(stores.store, manifest, partitions, replace)
    if not with_log:
        await restore(stores.store, path, manifest, progress)
        return ()
    async with reach.hold(stores.redis, group, partitions):
        await restore(stores.store, path, manifest, progress)
        positions = {number: manifest.positions.get(number) for number in range(partitions)}
        await reach.set_commits(stores.redis, group, positions)
        return [
            rewind.going_on(part) for part in await reach.reach(stores.redis, group, partitions)
        ]


async def rewind_all(
    redis: Redis, *, group: str, partitions: int, to: int | None, dry_run: bool
) -> Sequence[Step]:
    """Set what is committed back. Raises BackupError, reach.HeldError or RedisError."""
    if dry_run:
        return rewind.plan(await reach.reach(redis, group, partitions), to)
    async with reach.hold(redis, group, partitions):
        steps = rewind.plan(await reach.reach(redis, group, partitions), to)
        moved = {step.partition: step.to or None for step in steps if step.to != step.committed}
        await reach.set_commits(redis, group, moved)
        return steps
