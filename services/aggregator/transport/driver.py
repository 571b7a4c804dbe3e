"""Faust's consumer over a Broker.

Faust was written for Kafka, whose offsets have no gaps; positions have them. What this changes, and
what works around Faust 0.15.3, is explained where it happens.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from faust.types import TP, ConsumerMessage, Message
from mode import Service

from services.aggregator.transport import runs
from services.aggregator.transport.broker import Broker
from services.aggregator.transport.generations import GenerationConsumer
from services.aggregator.transport.leases import Leases
from services.aggregator.transport.trimmer import Trimmer
from services.log.interface import Record
from services.runtime.outage import Outage

READ_LIMIT = 100
"""Entries per partition and read; one holds up to 500 hits."""
TICK_SECONDS = 0.5
"""How often leases are checked; a clean hand-over takes half of this on average."""
SUBSCRIBED_SECONDS = 0.02
"""How often to check whether there is a topic yet: a start waits for its first leases."""

SEEK_SHARE = 1 / 3
"""Share of the time that Faust allows for a seek."""

REPLAY = "replay"
"""Header of a message that was committed before; its value says why it is reread."""
REBUILD = b"rebuild"
REPAIR = b"repair"


class Consumer(GenerationConsumer):
    """Reads the partitions whose leases this worker holds."""

    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.broker: Broker = self.transport.broker
        self.leases = Leases(
            self.broker,
            f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
            self.app.partitions,
            self.app.lease_seconds,
            time.monotonic,
        )
        self._topic = ""
        self._assignment: set[TP] = set()
        self._next: dict[TP, int] = {}
        self._done: dict[TP, int] = {}
        self._replay: dict[TP, tuple[int, int]] = {}
        self._ends: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._seeks = 0
        self._trimmer = Trimmer(self.broker, self.app.replay_ms, self.app.retention_ms, self.log)
        self._lease_lock = asyncio.Lock()
        self._left = False
        self._lease_outage = Outage(self.log, "cannot renew leases", "leases are renewed")
        self._read_outage = Outage(self.log, "cannot read the log", "the log is read")
        self._commit_outage = Outage(self.log, "cannot commit", "what is counted is committed")

    # Subscription and ownership

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Read this topic. Partitions are assigned later, once Faust has finished subscribing."""
        names = set(topics)
        if len(names) != 1:
            raise ValueError(f"one topic expected, got {sorted(names)}")
        (self._topic,) = names

    @Service.task
    async def _keep_leases(self) -> None:
        while not self.should_stop:
            if not self._topic:
                await self.sleep(SUBSCRIBED_SECONDS)
                continue
            async with self._lease_lock:
                await self._tick()
            await self.sleep(TICK_SECONDS)

    async def _tick(self) -> None:
        if self._left:
            return
        try:
            await self.leases.tick()
        except self.broker.unavailable as error:
            self._lease_outage.begins(repr(error))
            stands_still = False
        else:
            self._lease_outage.ends()
            self.watch_reading()
            stands_still = self._stands_still()
            await self._commit_late()
        assigned = {TP(self._topic, number) for number in self.leases.held}
        if assigned != self._assignment or stands_still or not self.app.consumer_generation_id:
            await self._rebalance(assigned)
        try:
            await self.leases.release()
        except self.broker.unavailable as error:
            self.log.warning("cannot release leases: %r", error)

    async def _rebalance(self, assigned: set[TP]) -> None:
        """Assign and revoke partitions, in the order that Faust needs.

        The generation changes before the revocation, so that messages in flight are stale at once,
        and again after it, so that any that slipped through are stale, too. A recovery resumes
        nothing when its generation is not the app's.
        """
        app = self.app
        self.log.info("owns partitions %s", sorted(tp.partition for tp in assigned) or "(none)")
        app.on_rebalance_start()
        self.begin_generation()
        revoked = self._assignment - assigned
        await self.on_partitions_revoked(revoked)
        for tp in revoked:
            self._next.pop(tp, None)
            self._done.pop(tp, None)
            self._replay.pop(tp, None)
            self._committed.pop(tp, None)
        self._assignment = assigned
        self._acked.clear()
        self._acked_index.clear()
        self.begin_generation()
        await self.on_partitions_assigned(set(assigned), app.consumer_generation_id)

    async def leave(self) -> None:
        """Release every partition to the other workers, now and for good."""
        async with self._lease_lock:
            self._left = True
            await self.leases.leave()

    def assignment(self) -> set[TP]:
        """Return the partitions read here."""
        return self._assignment

    # Positions

    async def perform_seek(self) -> None:
        """Set where reading resumes, after a change of assignment; only the recovery asks for it.

        What was delivered but not acknowledged is delivered again: from the last acknowledged
        message of this assignment, or, on a partition just taken, from `replay_ms` before the
        committed position. If the log does not answer in time, nothing is read until the next
        tick has changed the generation, and this is called again: Faust would wait for its
        `broker_request_timeout` and then never read again.
        """
        unavailable: tuple[type[Exception], ...] = (TimeoutError, *self.broker.unavailable)
        self._seeks += 1
        self._still = 0
        try:
            async with asyncio.timeout(self.app.conf.broker_request_timeout * SEEK_SHARE):
                await self.seek_to_committed()
        except unavailable as error:
            self._read_outage.begins(repr(error))
        finally:
            self._seeks -= 1

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek; return the committed positions of the assigned partitions that have one.

        Does not seek if the generation has changed since its recovery began.
        """
        generation = self._recovering
        by_number = {tp.partition: tp for tp in self._assignment}
        committed = await self.broker.committed(by_number)
        starts: dict[TP, int] = {}
        replay: dict[TP, tuple[int, int]] = {}
        known: dict[int, Any] = {}
        for number, tp in by_number.items():
            position = committed.get(number, 0)
            if tp in self._done:
                starts[tp] = self._done[tp]
                continue
            far = await self.broker.rewound(number, position, self.app.replay_ms)
            if (kept_starts := self.app.kept_starts) is not None:
                known[number] = await kept_starts.look(self.broker, number, position, far)
                if (start := known[number].start) is not None:
                    # Sought once more before anything is acknowledged, it may be committed further,
                    # by a former owner that did not know yet: what is from there on was not folded
                    # here as committed.
                    starts[tp] = start
                    replay[tp] = self._replay.get(tp, (position, position))
                    continue
            starts[tp] = far
            middle = await self.broker.rewound(number, position, self.app.replay_ms // 2)
            replay[tp] = (middle, position)
        if generation == self.app.consumer_generation_id:
            self._replay |= replay
            if self.app.kept_starts is not None:
                self.app.kept_starts.accept(known)
            self._next |= starts
            for tp in starts:
                self._committed_offset[tp] = committed.get(tp.partition) or None
            self._sought = generation
        return {by_number[number]: position for number, position in committed.items()}

    def _stands_still(self) -> bool:
        """Tell whether nothing is read and nothing in progress will change that."""
        under_way = self._seeks or self.app.rebalancing
        return bool(self._assignment) and not (self.flow_active or under_way)

    async def _seek(self, partition: TP, offset: int) -> None:
        self._next[partition] = offset

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek several partitions."""
        for tp, offset in partitions.items():
            await self.seek(tp, offset)

    async def position(self, tp: TP) -> int | None:
        """Return where the next read of a partition starts."""
        return self._next.get(tp)

    def highwater(self, tp: TP) -> int:
        """Return the position after the last entry seen."""
        return self._ends.get(tp, 0)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the position after the last entry of each partition."""
        return {tp: await self.broker.end(tp.partition) for tp in partitions}

    # Reading

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 - Faust calls it so
    ) -> dict[TP, Sequence[Record]]:
        by_number = {tp.partition: tp for tp in active_partitions or () if tp in self._next}
        starts = {number: self._next[tp] for number, tp in by_number.items()}
        generation = self.app.consumer_generation_id
        try:
            records = await self.broker.read(starts, timeout, READ_LIMIT)
        except self.broker.unavailable as error:
            self._read_outage.begins(repr(error))
            await self.sleep(0.5)
            return {}
        self._read_outage.ends()
        result: dict[TP, Sequence[Record]] = {}
        for number, entries in records.items():
            tp = by_number[number]
            # A seek during the read wins, and only what is delivered counts as read.
            unmoved = self._next.get(tp) == starts[number]
            if entries and unmoved and self.flows(generation):
                self._next[tp] = self._ends[tp] = entries[-1].position + 1
                result[tp] = self._runs(tp, entries)
        return result

    def _runs(self, tp: TP, entries: Sequence[Record]) -> Sequence[Record]:
        if limit := self.app.run_bytes:
            return list(runs.gather(entries, limit, lambda record: self._replayed(tp, record)))
        return entries

    def _replayed(self, tp: TP, record: Record) -> bytes | None:
        """Return why a previously committed record is reread; None for a new one."""
        middle, end = self._replay.get(tp, (0, 0))
        if record.position >= end:
            return None
        return REBUILD if record.position < middle else REPAIR

    def _to_message(self, tp: TP, record: Record) -> ConsumerMessage:
        headers: dict[str, bytes] = record.headers
        if replayed := self._replayed(tp, record):
            headers = {**headers, REPLAY: replayed}
        # Streams skip, and acknowledge, messages of another generation.
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            record.position,
            record.time_ms / 1000,
            0,
            headers,
            None,
            record.value,
            None,
            0,
            len(record.value),
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    # Commits

    def ack(self, message: Message) -> bool:
        """Mark a message as done.

        During a rebalance, Faust acknowledges the messages that it skips. Those do not count, nor
        do messages of an earlier assignment; they are delivered again.
        """
        if not self.flows(message.generation_id):
            return False
        self._done[message.tp] = max(message.offset + 1, self._done.get(message.tp, 0))
        return bool(super().ack(message))

    def _new_offset(self, tp: TP) -> int | None:
        """Return what to commit: messages are acknowledged in order, so it is the last one.

        Faust would fill the gaps between positions with every integer in them.
        """
        acked = self._acked[tp]
        if not acked:
            return None
        last: int = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return last + 1

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        try:
            positions = {tp.partition: offset for tp, offset in offsets.items()}
            committed = await self.broker.commit(positions)
        except self.broker.unavailable as error:
            self._commit_outage.begins(repr(error))
            return False
        self._commit_outage.ends()
        for tp, offset in offsets.items():
            if tp.partition in committed:
                self._committed[tp] = max(offset, self._committed.get(tp, 0))
        return True

    async def _commit_late(self) -> None:
        """Commit what is acknowledged but could not be committed while the log was down.

        Faust considers it committed. The next message of the partition would make up for that, but
        there may be none: an import waits for this commit before it sends more.
        """
        late = {tp: at for tp, at in self._done.items() if at > self._committed.get(tp, 0)}
        if late:
            await self._commit(late)

    # Retention

    @Service.task
    async def _keep_trimmed(self) -> None:
        # Not only after a commit: there are none while the log is full.
        while not self.should_stop:
            await self.sleep(self._trimmer.pause_seconds)
            await self._trimmer.trim([tp.partition for tp in self._assignment])
