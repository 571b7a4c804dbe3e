"""Moves a log to another one: nothing is lost, nothing is counted twice.

1. Both are held, so that no aggregator reads. Hits are still accepted.
2. The old one is sealed. Ingest spools from now on.
3. The new one is emptied, and gets copies of what is not counted, and of what an aggregator
   rereads when it starts; then the committed positions, the producers' sequences, the imports,
   and the log's identity.
4. The new one is marked as the log. If interrupted before this, the move starts over.
5. The old one is marked as left, and emptied.

Ingest, started again with the new log, drains its spools there: the sequences of their producers
say what was in the old log already.
"""

from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from secrets import token_hex

import msgspec

from services.log.admin import MoveMark, Way, copies_of, shown
from services.log.errors import LogRefusedError
from services.log.import_names import is_import
from services.log.interface import Log, LogProducer, Record

READ_ENTRIES = 1000
_PRODUCER = "p"
_ANSWER_SECONDS = 30.0


class MoveReport(msgspec.Struct, frozen=True):
    """What was moved.

    entries    copies of entries
    waiting    how many of those are not counted yet
    producers  how many ids of producers have their sequences there
    before     whether an earlier move had done it
    """

    entries: int = 0
    waiting: int = 0
    producers: int = 0
    before: bool = False


async def move(source: Log, target: Log, replay_ms: int, sealing: Callable[[], None]) -> MoveReport:
    """Move a log, or finish a move; an aggregator rereads `replay_ms` of log time.

    `sealing` is called before the old log stops accepting hits.

    Raises LogInUseError while an aggregator runs, LogRefusedError for a target that must not or
    cannot be the log, and LogError when either is out of reach: then run it again.
    """
    if await _undone(source, target) is None:
        return MoveReport(before=True)
    async with AsyncExitStack() as holds:
        await holds.enter_async_context(source.positions.hold())
        # Another command may have ended since.
        if (mark := await _undone(source, target)) is None:
            return MoveReport(before=True)
        await source.admin.set_mark(mark)
        await _refuse_itself(source, target, mark)
        await holds.enter_async_context(target.positions.hold())
        sealing()
        await source.admin.seal()
        arriving = MoveMark(mark.id, Way.IN, shown(source.url))
        await target.admin.set_mark(arriving)
        report = await _Mover(source, target, replay_ms).run()
        await target.admin.fits()
        await target.admin.set_mark(msgspec.structs.replace(arriving, done=True))
        await _leave(source, mark)
    return report


async def cancel(source: Log, target: Log) -> None:
    """Let the old log accept hits again.

    Raises LogInUseError while the move runs, LogRefusedError if it is done.
    """
    await _refuse_cancelling(source, target)
    async with source.positions.hold():
        # Another command may have ended since.
        await _refuse_cancelling(source, target)
        await source.admin.unseal()
        await source.admin.set_mark(None)


async def _refuse_cancelling(source: Log, target: Log) -> None:
    mark = await source.admin.mark()
    if mark is None or mark.way is Way.IN:
        raise LogRefusedError("no move from this log was begun")
    if mark.done or await _is_done(target, mark):
        raise LogRefusedError(
            f"the move to {mark.other} is done, and hits may be there; to go back, move that log"
        )
    if mark.other != shown(target.url):
        raise _elsewhere(mark)


async def _undone(source: Log, target: Log) -> MoveMark | None:
    """Return the mark of the move to make; None, and the old log is empty, if it was made."""
    mark = await _agreed(source, target)
    if await _is_done(target, mark):
        await _leave(source, mark)
        return None
    if mark.done:
        raise _elsewhere(mark)
    return mark


async def _agreed(source: Log, target: Log) -> MoveMark:
    """Return the mark of an unfinished move, or of a new one."""
    mark = await source.admin.mark()
    if mark is not None and mark.way is Way.OUT:
        if mark.other != shown(target.url):
            raise _elsewhere(mark)
        return mark
    if mark is not None and not mark.done:
        raise LogRefusedError(
            f"this log is itself the target of a move from {mark.other} that is not done; finish"
            " that one first, with LUOT_LOG_URL as it was"
        )
    await _refuse_misfit(source, target)
    return MoveMark(token_hex(8), Way.OUT, shown(target.url))


def _elsewhere(mark: MoveMark) -> LogRefusedError:
    if mark.done:
        return LogRefusedError(f"this log was moved to {mark.other}; set LUOT_LOG_URL to that one")
    return LogRefusedError(
        f"this log is being moved to {mark.other}; finish that with --to {mark.other}, or take it"
        " back with --cancel"
    )


async def _refuse_misfit(source: Log, target: Log) -> None:
    for log in (source, target):
        made = await log.created_with()
        if made not in (None, log.partitions):
            raise LogRefusedError(
                f"the log at {shown(log.url)} has {made} partitions, LUOT_PARTITIONS="
                f"{log.partitions}; both logs must have as many, for good"
            )
    theirs = await target.admin.mark()
    if theirs is not None and theirs.done == (theirs.way is Way.OUT):
        # It was left, or never became the log: whatever is in it was counted elsewhere.
        return
    if theirs is not None and theirs.way is Way.OUT:
        raise LogRefusedError(f"the log at {shown(target.url)} is itself moved to {theirs.other}")
    await target.admin.fits()
    filled = any(extent.entries or extent.committed for extent in await target.positions.extents())
    if filled or await target.admin.producers():
        raise LogRefusedError(
            f"the log at {shown(target.url)} is in use: there are hits in it; name another topic"
            " or an empty database"
        )


async def _is_done(target: Log, mark: MoveMark) -> bool:
    theirs = await target.admin.mark()
    return theirs is not None and theirs.id == mark.id and theirs.way is Way.IN and theirs.done


async def _refuse_itself(source: Log, target: Log, mark: MoveMark) -> None:
    if await target.admin.mark() == mark:
        await source.admin.set_mark(None)
        raise LogRefusedError("both names lead to the same log; there is nothing to move")


async def _leave(source: Log, mark: MoveMark) -> None:
    await source.admin.set_mark(msgspec.structs.replace(mark, done=True))
    for number, end in (await source.reader.ends()).items():
        while end and await source.positions.trim(number, end):
            pass


class _Mover:
    """Fills an empty log from another one that is sealed and held."""

    def __init__(self, source: Log, target: Log, replay_ms: int) -> None:
        self._source = source
        self._target = target
        self._replay_ms = replay_ms
        self._ids: set[str] = set()
        self._imported: dict[str, int] = {}
        """By producer: the position of the copy of the last entry of an import."""
        self._copied = 0

    async def run(self) -> MoveReport:
        source, target = self._source, self._target
        committed = await source.positions.committed()
        written = await source.positions.written(None)
        ends = await source.reader.ends()
        await target.admin.clear(max(0, *committed.values(), *written.values(), *ends.values()))
        resumed: dict[int, int | None] = {}
        waiting = 0
        for number in range(source.partitions):
            at = committed.get(number, 0)
            begin = await source.positions.rewound(number, at, self._replay_ms)
            counted = max(at, await self._copy(number, begin, at))
            before = self._copied
            await self._copy(number, at, ends[number])
            waiting += self._copied - before
            resumed[number] = counted or None
        producers = await self._sequences()
        await self._imports()
        if (identity := await source.identity()) is not None:
            await target.identify(identity)
        await target.positions.set_committed(resumed)
        await target.positions.forget_written(None)
        await target.positions.note_written(written)
        return MoveReport(self._copied, waiting, producers)

    async def _copy(self, number: int, begin: int, end: int) -> int:
        """Copy the entries between two positions; return the position after the last copy, or 0."""
        after, at = 0, begin
        while at < end:
            entries = await self._source.reader.read({number: at}, limit=READ_ENTRIES)
            records = [each for each in entries.get(number, ()) if each.position < end]
            if not records:
                break
            after = await self._target.admin.copy(number, copies_of(records))
            at = records[-1].position + 1
            self._copied += len(records)
            self._see(records, after)
        return after

    def _see(self, records: Collection[Record], after: int) -> None:
        for record in records:
            producer = record.headers.get(_PRODUCER, b"").decode("ascii", "replace")
            if is_import(producer):
                # After its copy by less than one read: it is counted a moment later, or sooner.
                self._imported[producer] = after - 1
            elif producer:
                self._ids.add(producer)

    async def _sequences(self) -> int:
        """Copy the last sequences of each producer to the new log.

        Includes the producers of the entries that were read, should the server list them late.
        """
        ids = self._ids | await self._source.admin.producers()
        producer = self._source.producer(_ANSWER_SECONDS)
        try:
            for each in ids:
                await self._target.admin.remember(each, await _sequences_of(producer, each))
        finally:
            await producer.close()
        return len(ids)

    async def _imports(self) -> None:
        known = await self._source.admin.imports()
        moved = [
            msgspec.structs.replace(each, position=self._imported.get(each.key, each.position))
            for each in known.imports
        ]
        await self._target.admin.take_imports(msgspec.structs.replace(known, imports=moved))


async def _sequences_of(producer: LogProducer, producer_id: str) -> dict[int, int]:
    """Get a producer's sequences, which decides what was in doubt."""
    try:
        return await producer.open(producer_id)
    finally:
        await producer.abandon()
