"""When Faust's consumer reads: within a generation, after its seek, and at no other time."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from faust.types import TP, Message

from services.aggregator.transport.plain_consumer import PlainConsumer

STILL_TICKS = 240
"""Lease renewals, two a second, without a read or a seek, after which something is broken."""


class NothingRead(dict[TP, int | None]):
    """Faust's record of what it has read, which stays empty.

    Faust drops messages before the last recorded one, and records a message after delivering it:
    even after a seek to before it, if it committed in between. Positions only grow here.
    """

    def __missing__(self, tp: TP) -> None:
        """Return that nothing was read."""

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        """Record nothing."""


class GenerationConsumer(PlainConsumer):
    """Delivers what is read in one generation, in order, from where its recovery did its seek.

    Each change of ownership begins a generation (the app's `consumer_generation_id`) and stops the
    flow. It resumes at the end of the recovery of that same generation, once that has sought.
    Faust 0.15.3 is less strict:

    - It stops nothing if nothing was owned before, reads as soon as the partitions are resumed,
      and some steps after the seek it empties the queues of the agents: what was in them by then is
      never delivered, and lost with the next commit.
    - The end of a recovery whose generation is over resumes the flow of the next one.
    - It drops what a read returns into a stopped flow, and goes back with its own seek, besides
      that of the recovery.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = NothingRead()
        self._recovering: int | None = None
        """The generation whose recovery is running, or ran last."""
        self._sought: int | None = None
        """The generation for which the seek is done."""
        self._handing_over = False
        self._still = 0

    def begin_generation(self) -> None:
        """Make what is in flight stale, and read nothing before the next recovery has ended."""
        self.app.consumer_generation_id += 1
        self.stop_flow()

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Record which recovery this is: it has just found its generation to be the app's."""
        super().resume_partitions(tps)
        self._recovering = self.app.consumer_generation_id

    def resume_flow(self) -> None:
        """Let messages pass, unless the generation has changed or the seek has failed.

        Recoveries are sequential: after a seek of this generation, the one that ends is its own.
        """
        if self._sought == self.app.consumer_generation_id:
            super().resume_flow()

    def flows(self, generation: int) -> bool:
        """Return whether what was requested in a generation may be delivered."""
        return bool(self.flow_active and generation == self.app.consumer_generation_id)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust calls it so
    ) -> AsyncIterator[tuple[TP, Message]]:
        """Yield the messages of one read, up to the next change of ownership."""
        while not (self.flow_active or self.should_stop):
            await self.wait(self.can_resume_flow)
        if self.should_stop:
            return
        generation = self.app.consumer_generation_id
        self._still = 0
        records: Mapping[TP, Any] = await self._getmany(self.assignment(), timeout)
        self._still = 0
        for tp, record in self.scheduler.iterate(records):
            if not self.flows(generation):
                return
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            self._handing_over = True
            yield tp, self._to_message(tp, record)
            self._handing_over = False

    def watch_reading(self) -> None:
        """Raise RuntimeError if partitions are owned but no longer read.

        To be called with each lease renewal: time that passes without any proves nothing. The
        error ends the process, and the next one reads from what was committed.
        """
        if self._handing_over or not self.assignment():
            self._still = 0
        self._still += 1
        if self._still > STILL_TICKS:
            owned = sorted(tp.partition for tp in self.assignment())
            raise RuntimeError(f"partitions {owned} are owned, and nothing reads them")
